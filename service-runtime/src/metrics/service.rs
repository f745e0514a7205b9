//! The metrics of every service.

crate::documented_metrics! {
    /// Service and version; always 1.
    pub static BUILD_INFO: Gauge by ["service", "version"] = "shop_build_info";

    /// Whether a dependency in /health is up (1) or down (0).
    pub static DEPENDENCY_UP: Gauge by ["part"] = "shop_part_up";

    /// Offset of a clock from the clock of the service's database; positive if ahead.
    pub static CLOCK_SKEW: Gauge by ["of"] = "shop_clock_skew_seconds";

    /// Requests that failed by an internal error.
    pub static INTERNAL_ERRORS: Counter = "shop_internal_errors_total";

    /// Panics, in handlers and in tasks.
    pub static PANICS: Counter = "shop_panics_total";

    /// HTTP responses.
    pub static HTTP_REQUESTS: Counter by ["server", "method", "route", "status"] =
        "shop_http_requests_total";

    /// Time from the request head to the response head, without a wait that the client requested.
    pub static HTTP_DURATION: Histogram by ["server", "method", "route"] =
        "shop_http_request_duration_seconds";

    /// HTTP requests in progress.
    pub static HTTP_IN_FLIGHT: Gauge by ["server"] = "shop_http_requests_in_flight";

    /// Open database connections of a pool, by state: idle or used.
    pub static POOL_CONNECTIONS: Gauge by ["pool", "state"] = "shop_db_pool_connections";

    /// Maximum number of connections of a pool.
    pub static POOL_MAX_CONNECTIONS: Gauge by ["pool"] = "shop_db_pool_max_connections";

    /// Requests that got 503 because no connection was free or the database did not respond in time.
    pub static DATABASE_TIMEOUTS: Counter = "shop_db_timeouts_total";
}
