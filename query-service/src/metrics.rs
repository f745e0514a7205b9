//! What the query service measures, beside what every service does. The meaning of
//! each is told to operators by `docs/metrics.md`.

use service_runtime::metrics::{self, Counter, Gauge, Histogram, Metric, Metrics, Registered};
use strum::{IntoStaticStr, VariantArray};
use tokio_util::sync::CancellationToken;

/// Registers all metrics.
///
/// # Errors
/// If that was done already.
pub fn install(shutdown: CancellationToken) -> anyhow::Result<Metrics> {
    metrics::install("query-service", ALL, shutdown)
}

const ALL: &[&dyn Registered] =
    &[&LAG, &PENDING, &NEWEST_EVENT, &READ_YOUR_WRITES, &READ_YOUR_WRITES_WAIT];

/// As `sync-status` has it.
pub static LAG: Metric<Gauge> = Metric::new(
    "shop_lag_seconds",
    "Age of the oldest committed event that no view shows yet; NaN while nobody knows.",
);

/// As `sync-status` has it.
pub static PENDING: Metric<Gauge> = Metric::new(
    "shop_pending_events",
    "Committed events that no view shows yet, by the newest counts that have arrived; NaN \
     while nobody knows.",
);

/// As `sync-status` has it.
pub static NEWEST_EVENT: Metric<Gauge> = Metric::new(
    "shop_newest_event_timestamp_seconds",
    "Time of the newest event applied, in Unix time; NaN before any.",
);

/// Outcome of a query that named an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Wait {
    Shown,
    Stale,
    /// The response would have been stale, and the query was strict.
    Refused,
    Failed,
}

/// Queries that named an event.
pub static READ_YOUR_WRITES: Metric<Counter, Wait> = Metric::by(
    "shop_read_your_writes_total",
    "Queries that named an event to wait for: the answer showed it, was stale, was refused as \
     it would have been (strict), or the wait failed.",
    "result",
);

/// How long they waited.
pub static READ_YOUR_WRITES_WAIT: Metric<Histogram> = Metric::new(
    "shop_read_your_writes_wait_seconds",
    "Time for which queries waited for the event that they named.",
);
