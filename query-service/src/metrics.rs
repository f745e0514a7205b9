//! The metrics of the query service, in addition to those of every service.
//! `docs/metrics.md` explains them.

use service_runtime::metrics;
use service_runtime::metrics::{Counter, Gauge, Histogram, Metric};
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

metrics! {
    /// As in `sync-status`.
    pub static LAG: Metric<Gauge> = Metric::new(
        "shop_lag_seconds",
        "Age of the oldest committed event that no view shows yet; NaN while it is unknown.",
    );

    /// As in `sync-status`.
    pub static PENDING: Metric<Gauge> = Metric::new(
        "shop_pending_events",
        "Committed events that no view shows yet, by the newest watermarks; NaN while it \
         is unknown.",
    );

    /// As in `sync-status`.
    pub static NEWEST_EVENT: Metric<Gauge> = Metric::new(
        "shop_newest_event_timestamp_seconds",
        "Time of the newest event applied, in Unix time; NaN before any.",
    );

    /// Queries that passed an event id.
    pub static READ_YOUR_WRITES: Metric<Counter, Wait> = Metric::by(
        "shop_read_your_writes_total",
        "Queries that waited for an event: the response showed it, was stale, was refused because \
         it would be stale (strict), or the wait failed.",
        "result",
    );

    /// Duration of these waits.
    pub static READ_YOUR_WRITES_WAIT: Metric<Histogram> = Metric::new(
        "shop_read_your_writes_wait_seconds",
        "Time for which queries waited for an event.",
    );
}
