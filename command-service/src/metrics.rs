//! Metrics of the command service, in addition to those of every service. `docs/metrics.md`
//! describes them for operators.

use crate::command_kind::CommandKind;
use shared_events::Topic;
use strum::{IntoStaticStr, VariantArray};

service_runtime::documented_metrics! {
    /// Commands with a 2xx response, including stored responses.
    pub static COMMANDS_ACCEPTED: Counter by "command": CommandKind
        = "shop_commands_accepted_total";

    /// Commands refused because of their content (4xx).
    pub static COMMANDS_REFUSED: Counter by "command": CommandKind = "shop_commands_refused_total";

    /// Commands that failed or have an unknown outcome, for reasons that are not in the command
    /// (5xx).
    pub static COMMANDS_FAILED: Counter by "command": CommandKind = "shop_commands_failed_total";

    /// Commands with an Idempotency-Key: new, replayed (stored response) or mismatched (another
    /// body).
    pub static KEYED_COMMANDS: Counter by "result": Keyed = "shop_keyed_commands_total";

    /// Orders placed.
    pub static ORDERS_ACCEPTED: Counter = "shop_orders_accepted_total";

    /// Orders refused because of their content.
    pub static ORDERS_REFUSED: Counter by "reason": OrderRefusal = "shop_orders_refused_total";

    /// Orders that share a transaction.
    pub static ORDER_BATCH_SIZE: Histogram = "shop_order_batch_size";

    /// Time from the start of a batch of orders to its commit.
    pub static ORDER_BATCH_DURATION: Histogram = "shop_order_batch_duration_seconds";

    /// Batches decided again with their products locked, because one had changed.
    pub static ORDER_BATCHES_REPEATED: Counter = "shop_order_batches_repeated_total";

    /// Orders cancelled because they were not paid in time.
    pub static ORDERS_EXPIRED: Counter = "shop_orders_expired_total";

    /// Time by which the cancellation of the oldest expired order is late; 0 if there is none.
    pub static ORDER_EXPIRY_OVERDUE: Gauge = "shop_order_expiry_overdue_seconds";

    /// Unpublished events in the outbox, counted up to the limit.
    pub static OUTBOX_WAITING: Gauge by "topic": Topic = "shop_outbox_unpublished_events";

    /// Unpublished events of a topic at which its commands are refused.
    pub static OUTBOX_LIMIT: Gauge = "shop_outbox_limit_events";

    /// Age of the oldest unpublished event in the outbox; 0 if there is none.
    pub static OUTBOX_AGE: Gauge by "topic": Topic = "shop_outbox_oldest_age_seconds";

    /// Events that the broker has confirmed and that are marked as published.
    pub static OUTBOX_PUBLISHED: Counter = "shop_outbox_published_events_total";

    /// Events published again by replays.
    pub static OUTBOX_REPLAYED: Counter = "shop_outbox_replayed_events_total";

    /// Events sent to the broker that it confirmed, refused, or returned as no queue is bound.
    pub static CONFIRMS: Counter by "result": Confirm = "shop_publish_confirms_total";

    /// Events sent to the broker in a batch.
    pub static PUBLISH_BATCH_SIZE: Histogram = "shop_publish_batch_size";

    /// Time from sending a batch to the broker until all of it was confirmed.
    pub static PUBLISH_DURATION: Histogram = "shop_publish_duration_seconds";

    /// Whether this process publishes the outbox (1) or is a standby (0).
    pub static PUBLISHER_LEADER: Gauge = "shop_publisher_leader";
}

/// Result of a command with an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Keyed {
    New,
    /// The stored response was returned.
    Replayed,
    /// The key was used with another body before.
    Mismatched,
}

/// Why an order is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum OrderRefusal {
    /// The request is invalid.
    Invalid,
    ProductNotFound,
    InsufficientStock,
    PriceDiffers,
    TotalTooLarge,
}

/// The broker's response to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Confirm {
    Confirmed,
    Refused,
    /// No queue is bound.
    Returned,
}
