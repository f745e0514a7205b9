//! The metrics of the query service, in addition to those of every service.
//! `docs/metrics.md` explains them.

use strum::{IntoStaticStr, VariantArray};

/// Result of a query that passed an event id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Wait {
    Shown,
    Stale,
    /// The response would have been stale, and the query was strict.
    Refused,
    Failed,
}

service_runtime::documented_metrics! {
    /// Age of the oldest committed event that no view shows yet; NaN while it is unknown.
    pub static LAG: Gauge = "shop_lag_seconds";

    /// Committed events that no view shows yet, by the newest watermarks; NaN while it is unknown.
    pub static PENDING: Gauge = "shop_pending_events";

    /// Time of the newest event applied, in Unix time; NaN before any.
    pub static NEWEST_EVENT: Gauge = "shop_newest_event_timestamp_seconds";

    /// Queries that waited for an event: the response showed it, was stale, was refused because it
    /// would be stale (strict), or the wait failed.
    pub static READ_YOUR_WRITES: Counter by "result": Wait = "shop_read_your_writes_total";

    /// Time for which queries waited for an event.
    pub static READ_YOUR_WRITES_WAIT: Histogram = "shop_read_your_writes_wait_seconds";
}
