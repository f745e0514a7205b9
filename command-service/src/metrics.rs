//! What the command service measures, beside what every service does. The meaning of
//! each is told to operators by `docs/metrics.md`.

use crate::command_kind::CommandKind;
use service_runtime::metrics::{self, Counter, Gauge, Histogram, Metric, Metrics, Registered};
use shared_events::Topic;
use strum::{IntoStaticStr, VariantArray};
use tokio_util::sync::CancellationToken;

/// Registers all metrics.
///
/// # Errors
/// If that was done already.
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

/// By kind.
pub static COMMANDS_ACCEPTED: Metric<Counter, CommandKind> = Metric::by(
    "shop_commands_accepted_total",
    "Commands answered 2xx, also from memory.",
    "command",
);

/// By kind.
pub static COMMANDS_REFUSED: Metric<Counter, CommandKind> = Metric::by(
    "shop_commands_refused_total",
    "Commands refused for what they say (4xx).",
    "command",
);

/// By kind.
pub static COMMANDS_FAILED: Metric<Counter, CommandKind> = Metric::by(
    "shop_commands_failed_total",
    "Commands not carried out, or of unknown outcome, for no fault of theirs (5xx).",
    "command",
);

/// Outcome of a command with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Keyed {
    New,
    /// The stored response was returned.
    Replayed,
    /// Sent with another body before.
    Mismatched,
}

/// Commands whose key was new, had an answer, or came with another body.
pub static KEYED_COMMANDS: Metric<Counter, Keyed> = Metric::by(
    "shop_keyed_commands_total",
    "Commands with an Idempotency-Key: new, replayed (answered as before) or mismatched \
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

/// By reason.
pub static ORDERS_REFUSED: Metric<Counter, OrderRefusal> =
    Metric::by("shop_orders_refused_total", "Orders refused for what they say.", "reason");

/// Orders of a batch.
pub static ORDER_BATCH_SIZE: Metric<Histogram> =
    Metric::new("shop_order_batch_size", "Orders that share a transaction.");

/// Of a batch's transaction, whatever became of it.
pub static ORDER_BATCH_DURATION: Metric<Histogram> = Metric::new(
    "shop_order_batch_duration_seconds",
    "Time from the start of a batch of orders to its commit.",
);

/// Batches decided upon twice.
pub static ORDER_BATCHES_REPEATED: Metric<Counter> = Metric::new(
    "shop_order_batches_repeated_total",
    "Batches decided upon again with their products locked, as one had changed.",
);

/// Events that wait for the broker, by topic.
pub static OUTBOX_WAITING: Metric<Gauge, Topic> = Metric::by(
    "shop_outbox_unpublished_events",
    "Events in the outbox that are not published, counted up to the limit.",
    "topic",
);

/// As configured.
pub static OUTBOX_LIMIT: Metric<Gauge> = Metric::new(
    "shop_outbox_limit_events",
    "Unpublished events of a topic at which its commands are refused.",
);

/// How long events wait for the broker, by topic.
pub static OUTBOX_AGE: Metric<Gauge, Topic> = Metric::by(
    "shop_outbox_oldest_age_seconds",
    "Age of the first event in the outbox that is not published; 0 if there is none.",
    "topic",
);

/// Events confirmed and marked.
pub static OUTBOX_PUBLISHED: Metric<Counter> = Metric::new(
    "shop_outbox_published_events_total",
    "Events that the broker has confirmed and that are marked as published.",
);

/// Events confirmed again.
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

/// What the broker said of events sent to it.
pub static CONFIRMS: Metric<Counter, Confirm> = Metric::by(
    "shop_publish_confirms_total",
    "Events sent to the broker that it confirmed, refused, or returned as no queue is bound.",
    "result",
);

/// Events sent at once.
pub static PUBLISH_BATCH_SIZE: Metric<Histogram> =
    Metric::new("shop_publish_batch_size", "Events sent to the broker at once.");

/// Of sending a batch.
pub static PUBLISH_DURATION: Metric<Histogram> = Metric::new(
    "shop_publish_duration_seconds",
    "Time from sending a batch to the broker until all of it was confirmed.",
);

/// Which process publishes.
pub static PUBLISHER_LEADER: Metric<Gauge> = Metric::new(
    "shop_publisher_leader",
    "Whether this process publishes the outbox (1) or stands by (0).",
);
