//! The metrics of the consumer service, in addition to those of every service.
//! `docs/metrics.md` explains them.

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

service_runtime::documented_metrics! {
    /// Messages acknowledged after they were applied or became dead letters, including watermarks.
    pub static DELIVERIES: Counter by "topic": Topic = "shop_deliveries_total";

    /// Events applied to the views.
    pub static APPLIED: Counter by "topic": Topic = "shop_events_applied_total";

    /// Events skipped because they had been applied before.
    pub static DUPLICATES: Counter by "topic": Topic = "shop_events_duplicate_total";

    /// Messages that became dead letters: unreadable (also external events that contradict known
    /// data), refused by the database, or forgotten (older than the deduplication records).
    pub static DEAD_LETTERS_STORED: Counter by "reason": Cause = "shop_events_parked_total";

    /// Messages of a batch, including watermarks.
    pub static APPLY_BATCH_SIZE: Histogram by "topic": Topic = "shop_apply_batch_size";

    /// Time to apply a batch, from the first attempt to the commit.
    pub static APPLY_DURATION: Histogram by "topic": Topic = "shop_apply_duration_seconds";

    /// Failed attempts to apply a batch, for reasons other than its messages.
    pub static APPLY_RETRIES: Counter by "topic": Topic = "shop_apply_retries_total";

    /// Stored dead letters, counted every 5 s.
    pub static DEAD_LETTERS: Gauge = "shop_dead_letters";

    /// Attempts to redrive a dead letter: applied, known (had been applied already) or refused.
    pub static REDRIVES: Counter by "outcome": Redrive = "shop_dead_letter_redrives_total";

    /// Dead letters discarded by operators.
    pub static DISCARDED: Counter = "shop_dead_letters_discarded_total";

    /// Invalid watermarks: of another topic, out of range or unreadable.
    pub static WATERMARKS_DROPPED: Counter by "reason": InvalidWatermark
        = "shop_watermarks_dropped_total";
}
