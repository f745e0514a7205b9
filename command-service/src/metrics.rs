//! Metrics of the command service, in addition to those of every service. `docs/metrics.md`
//! describes them for operators.

use crate::command_kind::CommandKind;
use service_runtime::metrics::{self, Counter, Gauge, Histogram, Metric, Metrics, Registered};
use shared_events::Topic;
use strum::{IntoStaticStr, VariantArray};
use tokio_util::sync::CancellationToken;

/// Registers all metrics.
///
/// # Errors
/// The metrics are registered already.
pub fn install(shutdown: CancellationToken) -> anyhow::Result<Metrics> {
    metrics::install("command-service", ALL, shutdown)
}

const ALL: &[&dyn Registered] = &[
    &COMMANDS_ACCEPTED,
    &COMMANDS_REFUSED,
    &COMMANDS_FAILED,
    &KEYED_COMMANDS,
    &ORDERS_ACCEPTED,
    &ORDERS_REFUSED,
    &ORDER_BATCH_SIZE,
    &ORDER_BATCH_DURATION,
    &ORDER_BATCHES_REPEATED,
    &OUTBOX_WAITING,
    &OUTBOX_LIMIT,
    &OUTBOX_AGE,
    &OUTBOX_PUBLISHED,
    &OUTBOX_REPLAYED,
    &CONFIRMS,
    &PUBLISH_BATCH_SIZE,
    &PUBLISH_DURATION,
    &PUBLISHER_LEADER,
];

/// Accepted commands, by kind.
pub static COMMANDS_ACCEPTED: Metric<Counter, CommandKind> = Metric::by(
    "shop_commands_accepted_total",
    "Commands with a 2xx response, including stored responses.",
    "command",
);

/// Refused commands, by kind.
pub static COMMANDS_REFUSED: Metric<Counter, CommandKind> = Metric::by(
    "shop_commands_refused_total",
    "Commands refused because of their content (4xx).",
    "command",
);

/// Failed commands, by kind.
pub static COMMANDS_FAILED: Metric<Counter, CommandKind> = Metric::by(
    "shop_commands_failed_total",
    "Commands that failed or have an unknown outcome, for reasons that are not in the command (5xx).",
    "command",
);

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

/// Commands with an idempotency key, by result.
pub static KEYED_COMMANDS: Metric<Counter, Keyed> = Metric::by(
    "shop_keyed_commands_total",
    "Commands with an Idempotency-Key: new, replayed (stored response) or mismatched \
     (another body).",
    "result",
);

/// Orders placed.
pub static ORDERS_ACCEPTED: Metric<Counter> =
    Metric::new("shop_orders_accepted_total", "Orders placed.");

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

/// Refused orders, by reason.
pub static ORDERS_REFUSED: Metric<Counter, OrderRefusal> =
    Metric::by("shop_orders_refused_total", "Orders refused because of their content.", "reason");

/// Number of orders in a batch.
pub static ORDER_BATCH_SIZE: Metric<Histogram> =
    Metric::new("shop_order_batch_size", "Orders that share a transaction.");

/// Duration of the transaction of a batch, successful or not.
pub static ORDER_BATCH_DURATION: Metric<Histogram> = Metric::new(
    "shop_order_batch_duration_seconds",
    "Time from the start of a batch of orders to its commit.",
);

/// Batches decided twice.
pub static ORDER_BATCHES_REPEATED: Metric<Counter> = Metric::new(
    "shop_order_batches_repeated_total",
    "Batches decided again with their products locked, because one had changed.",
);

/// Unpublished events, by topic.
pub static OUTBOX_WAITING: Metric<Gauge, Topic> = Metric::by(
    "shop_outbox_unpublished_events",
    "Unpublished events in the outbox, counted up to the limit.",
    "topic",
);

/// The configured limit of unpublished events.
pub static OUTBOX_LIMIT: Metric<Gauge> = Metric::new(
    "shop_outbox_limit_events",
    "Unpublished events of a topic at which its commands are refused.",
);

/// Age of the oldest unpublished event, by topic.
pub static OUTBOX_AGE: Metric<Gauge, Topic> = Metric::by(
    "shop_outbox_oldest_age_seconds",
    "Age of the oldest unpublished event in the outbox; 0 if there is none.",
    "topic",
);

/// Events that the broker has confirmed and that are marked.
pub static OUTBOX_PUBLISHED: Metric<Counter> = Metric::new(
    "shop_outbox_published_events_total",
    "Events that the broker has confirmed and that are marked as published.",
);

/// Replayed events.
pub static OUTBOX_REPLAYED: Metric<Counter> =
    Metric::new("shop_outbox_replayed_events_total", "Events published again by replays.");

/// The broker's response to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Confirm {
    Confirmed,
    Refused,
    /// No queue is bound.
    Returned,
}

/// Responses of the broker to events.
pub static CONFIRMS: Metric<Counter, Confirm> = Metric::by(
    "shop_publish_confirms_total",
    "Events sent to the broker that it confirmed, refused, or returned as no queue is bound.",
    "result",
);

/// Number of events sent in a batch.
pub static PUBLISH_BATCH_SIZE: Metric<Histogram> =
    Metric::new("shop_publish_batch_size", "Events sent to the broker in a batch.");

/// Duration of publishing a batch.
pub static PUBLISH_DURATION: Metric<Histogram> = Metric::new(
    "shop_publish_duration_seconds",
    "Time from sending a batch to the broker until all of it was confirmed.",
);

/// Whether this process is the leader.
pub static PUBLISHER_LEADER: Metric<Gauge> = Metric::new(
    "shop_publisher_leader",
    "Whether this process publishes the outbox (1) or is a standby (0).",
);
