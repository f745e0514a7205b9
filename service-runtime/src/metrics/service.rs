//! The metrics of every service.

use super::{Counter, Gauge, Histogram, Metric, Registered};

/// All of them.
pub const ALL: &[&dyn Registered] = &[
    &BUILD_INFO,
    &DEPENDENCY_UP,
    &CLOCK_SKEW,
    &INTERNAL_ERRORS,
    &PANICS,
    &HTTP_REQUESTS,
    &HTTP_DURATION,
    &HTTP_IN_FLIGHT,
    &POOL_CONNECTIONS,
    &POOL_MAX_CONNECTIONS,
    &DATABASE_TIMEOUTS,
];

/// Labels `service` and `version`.
pub static BUILD_INFO: Metric<Gauge> =
    Metric::open("shop_build_info", "Service and version; always 1.");

/// Label `part`.
pub static DEPENDENCY_UP: Metric<Gauge> =
    Metric::open("shop_part_up", "Whether a dependency in /health is up (1) or down (0).");

/// Label `of`.
pub static CLOCK_SKEW: Metric<Gauge> = Metric::open(
    "shop_clock_skew_seconds",
    "Offset of a clock from the clock of the service's database; positive if ahead.",
);

/// Responses with the error `Internal error`.
pub static INTERNAL_ERRORS: Metric<Counter> =
    Metric::new("shop_internal_errors_total", "Requests that failed by an internal error.");

/// A part of [`INTERNAL_ERRORS`].
pub static PANICS: Metric<Counter> =
    Metric::new("shop_panics_total", "Requests whose handler panicked.");

/// Labels `server`, `method`, `route`, `status`.
pub static HTTP_REQUESTS: Metric<Counter> =
    Metric::open("shop_http_requests_total", "HTTP responses.");

/// Labels `server`, `method`, `route`.
pub static HTTP_DURATION: Metric<Histogram> = Metric::open(
    "shop_http_request_duration_seconds",
    "Time from the request head to the response head, without a wait that the client requested.",
);

/// Label `server`.
pub static HTTP_IN_FLIGHT: Metric<Gauge> =
    Metric::open("shop_http_requests_in_flight", "HTTP requests in progress.");

/// Labels `pool`, `state`.
pub static POOL_CONNECTIONS: Metric<Gauge> = Metric::open(
    "shop_db_pool_connections",
    "Open database connections of a pool, by state: idle or used.",
);

/// Label `pool`.
pub static POOL_MAX_CONNECTIONS: Metric<Gauge> =
    Metric::open("shop_db_pool_max_connections", "Maximum number of connections of a pool.");

/// Increases if a pool is exhausted or a database is unavailable.
pub static DATABASE_TIMEOUTS: Metric<Counter> = Metric::new(
    "shop_db_timeouts_total",
    "Requests that got 503 because no connection was free or the database did not respond in time.",
);
