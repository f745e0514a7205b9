//! What the consumer service measures, beside what every service does. The meaning of
//! each is told to operators by `docs/metrics.md`.

use service_runtime::metrics::{self, Counter, Gauge, Histogram, Metric, Metrics, Registered};
use shared_events::Topic;
use strum::{IntoStaticStr, VariantArray};
use tokio_util::sync::CancellationToken;

/// Registers all metrics.
///
/// # Errors
/// If that was done already.
pub fn install(shutdown: CancellationToken) -> anyhow::Result<Metrics> {
    metrics::install("consumer-service", ALL, shutdown)
}

const ALL: &[&dyn Registered] = &[
    &DELIVERIES,
    &APPLIED,
    &DUPLICATES,
    &PARKED,
    &APPLY_BATCH_SIZE,
    &APPLY_DURATION,
    &APPLY_RETRIES,
    &DEAD_LETTERS,
    &REDRIVES,
    &DISCARDED,
    &WATERMARKS_DROPPED,
];

/// By topic.
pub static DELIVERIES: Metric<Counter, Topic> = Metric::by(
    "shop_deliveries_total",
    "Messages settled: applied or parked, and acknowledged. Watermarks are among them.",
    "topic",
);

/// By topic.
pub static APPLIED: Metric<Counter, Topic> =
    Metric::by("shop_events_applied_total", "Events applied to the views.", "topic");

/// By topic.
pub static DUPLICATES: Metric<Counter, Topic> = Metric::by(
    "shop_events_duplicate_total",
    "Events skipped as they had been applied before.",
    "topic",
);

/// Why a message became a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Why {
    /// It cannot be read.
    Unreadable,
    /// The database refuses it.
    Refused,
    /// It is older than the memory of processed events.
    Forgotten,
}

/// By why.
pub static PARKED: Metric<Counter, Why> = Metric::by(
    "shop_events_parked_total",
    "Messages that became dead letters: unreadable (also external events that contradict what \
     is known), refused by the database, or forgotten (older than the memory of processed \
     events).",
    "reason",
);

/// Messages of a batch, by topic.
pub static APPLY_BATCH_SIZE: Metric<Histogram, Topic> =
    Metric::by("shop_apply_batch_size", "Messages applied together, watermarks included.", "topic");

/// Of a batch, by topic.
pub static APPLY_DURATION: Metric<Histogram, Topic> = Metric::by(
    "shop_apply_duration_seconds",
    "Time to apply a batch, from its first try to its commit.",
    "topic",
);

/// By topic.
pub static APPLY_RETRIES: Metric<Counter, Topic> = Metric::by(
    "shop_apply_retries_total",
    "Tries to apply a batch that failed for no fault of its messages.",
    "topic",
);

/// Dead letters.
pub static DEAD_LETTERS: Metric<Gauge> =
    Metric::new("shop_dead_letters", "Dead letters that there are, counted every 5 s.");

/// Outcome of an attempt to apply a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Redrive {
    Applied,
    /// It had been applied already.
    Known,
    Refused,
}

/// By outcome.
pub static REDRIVES: Metric<Counter, Redrive> = Metric::by(
    "shop_dead_letter_redrives_total",
    "Tries to apply a dead letter after all: applied, known (had been applied already) or \
     refused.",
    "outcome",
);

/// Dead letters that an operator dropped.
pub static DISCARDED: Metric<Counter> =
    Metric::new("shop_dead_letters_discarded_total", "Dead letters dropped by operators.");

/// Why a watermark is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum WrongWatermark {
    AnotherTopic,
    OutOfRange,
    Unreadable,
}

/// By reason.
pub static WATERMARKS_DROPPED: Metric<Counter, WrongWatermark> = Metric::by(
    "shop_watermarks_dropped_total",
    "Watermarks that were wrong: of another topic, out of range or unreadable.",
    "reason",
);
