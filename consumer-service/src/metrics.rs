//! The metrics of the consumer service, in addition to those of every service.
//! `docs/metrics.md` explains them.

use service_runtime::metrics;
use service_runtime::metrics::{Counter, Gauge, Histogram, Metric};
use shared_events::Topic;
use strum::{IntoStaticStr, VariantArray};

/// Why a message became a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Cause {
    /// It is unreadable.
    Unreadable,
    /// The database refuses it.
    Refused,
    /// It is older than the deduplication records.
    #[strum(serialize = "forgotten")]
    Expired,
}

/// Outcome of an attempt to apply a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Redrive {
    Applied,
    /// It was applied before.
    Known,
    Refused,
}

/// Why a watermark is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum InvalidWatermark {
    AnotherTopic,
    OutOfRange,
    Unreadable,
}

metrics! {
    /// By topic.
    pub static DELIVERIES: Metric<Counter, Topic> = Metric::by(
        "shop_deliveries_total",
        "Messages acknowledged after they were applied or became dead letters, including watermarks.",
        "topic",
    );

    /// By topic.
    pub static APPLIED: Metric<Counter, Topic> =
        Metric::by("shop_events_applied_total", "Events applied to the views.", "topic");

    /// By topic.
    pub static DUPLICATES: Metric<Counter, Topic> = Metric::by(
        "shop_events_duplicate_total",
        "Events skipped because they had been applied before.",
        "topic",
    );

    /// By reason.
    pub static DEAD_LETTERS_STORED: Metric<Counter, Cause> = Metric::by(
        "shop_events_parked_total",
        "Messages that became dead letters: unreadable (also external events that contradict known \
         data), refused by the database, or forgotten (older than the deduplication records).",
        "reason",
    );

    /// Messages of a batch, by topic.
    pub static APPLY_BATCH_SIZE: Metric<Histogram, Topic> =
        Metric::by("shop_apply_batch_size", "Messages of a batch, including watermarks.", "topic");

    /// Of a batch, by topic.
    pub static APPLY_DURATION: Metric<Histogram, Topic> = Metric::by(
        "shop_apply_duration_seconds",
        "Time to apply a batch, from the first attempt to the commit.",
        "topic",
    );

    /// By topic.
    pub static APPLY_RETRIES: Metric<Counter, Topic> = Metric::by(
        "shop_apply_retries_total",
        "Failed attempts to apply a batch, for reasons other than its messages.",
        "topic",
    );

    /// Dead letters.
    pub static DEAD_LETTERS: Metric<Gauge> =
        Metric::new("shop_dead_letters", "Stored dead letters, counted every 5 s.");

    /// By outcome.
    pub static REDRIVES: Metric<Counter, Redrive> = Metric::by(
        "shop_dead_letter_redrives_total",
        "Attempts to redrive a dead letter: applied, known (had been applied already) or refused.",
        "outcome",
    );

    /// Dead letters that an operator discarded.
    pub static DISCARDED: Metric<Counter> =
        Metric::new("shop_dead_letters_discarded_total", "Dead letters discarded by operators.");

    /// By reason.
    pub static WATERMARKS_DROPPED: Metric<Counter, InvalidWatermark> = Metric::by(
        "shop_watermarks_dropped_total",
        "Invalid watermarks: of another topic, out of range or unreadable.",
        "reason",
    );
}
