//! The metrics that every service has.

use super::{Counter, Gauge, Histogram, Metric, Registered, process};

/// The list.
pub const ALL: &[&dyn Registered] = &[
    &BUILD_INFO,
    &PART_UP,
    &CLOCK_SKEW,
    &INTERNAL_ERRORS,
    &PANICS,
    &HTTP_REQUESTS,
    &HTTP_DURATION,
    &HTTP_IN_FLIGHT,
    &POOL_CONNECTIONS,
    &POOL_MAX_CONNECTIONS,
    &DATABASE_TIMEOUTS,
    &process::CPU,
    &process::MEMORY,
    &process::OPEN_FILES,
    &process::MAX_FILES,
    &process::START,
];

/// Labels `service` and `version`.
pub static BUILD_INFO: Metric<Gauge> =
    Metric::open("shop_build_info", "Which service and version this is: always 1.");

/// Label `part`.
pub static PART_UP: Metric<Gauge> =
    Metric::open("shop_part_up", "Whether a part of /health is up (1) or down (0).");

/// Label `of`.
pub static CLOCK_SKEW: Metric<Gauge> = Metric::open(
    "shop_clock_skew_seconds",
    "By how much a clock is ahead of the database's: this machine's, and the write database's.",
);

/// Faults of ours.
pub static INTERNAL_ERRORS: Metric<Counter> =
    Metric::new("shop_internal_errors_total", "Requests that failed by a fault of the service.");

/// Those among them that were bugs for certain.
pub static PANICS: Metric<Counter> =
    Metric::new("shop_panics_total", "Requests whose handler panicked.");

/// Labels `server`, `method`, `route`, `status`.
pub static HTTP_REQUESTS: Metric<Counter> =
    Metric::open("shop_http_requests_total", "Requests answered.");

/// Labels `server`, `method`, `route`.
pub static HTTP_DURATION: Metric<Histogram> = Metric::open(
    "shop_http_request_duration_seconds",
    "Time from a request's head to its answer's, without waiting that the client asked for.",
);

/// Label `server`.
pub static HTTP_IN_FLIGHT: Metric<Gauge> =
    Metric::open("shop_http_requests_in_flight", "Requests being answered.");

/// Labels `pool`, `state`.
pub static POOL_CONNECTIONS: Metric<Gauge> = Metric::open(
    "shop_db_pool_connections",
    "Open database connections of a pool, by whether they are idle or used.",
);

/// Label `pool`.
pub static POOL_MAX_CONNECTIONS: Metric<Gauge> =
    Metric::open("shop_db_pool_max_connections", "Most database connections that a pool may open.");

/// Signs of an exhausted pool, or of a database that is away.
pub static DATABASE_TIMEOUTS: Metric<Counter> = Metric::new(
    "shop_db_timeouts_total",
    "Requests told 503 as they got no database connection, or no answer by it, in time.",
);
