//! Sends events to the broker and waits for its confirms.

use super::message::{self, Context};
use super::queue::Pending;
use crate::metrics::{CONFIRMS, Confirm, PUBLISH_BATCH_SIZE, PUBLISH_DURATION};
use futures::future::try_join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection, PublisherConfirm};
use service_runtime::amqp::{self, Topology};
use service_runtime::trace::{KeyValue, Span, SpanBuilder, SpanKind};
use shared_events::topology::{EXCHANGE, routing_key};
use shared_events::{Topic, Watermark};
use std::time::{Duration, Instant};
use strum::IntoStaticStr;
use tokio::time::timeout;
use uuid::Uuid;

/// A broker that does not confirm in this time, or does not accept the next few messages, is
/// unreachable.
pub const CONFIRM_DEADLINE: Duration = Duration::from_secs(10);

/// Messages that are passed to the connection together: it writes them with one system call, and
/// the broker reads them with one.
const WRITE_BATCH: usize = 100;

/// Why a message could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum Unsent {
    #[error("{0}")]
    Broker(#[from] lapin::Error),
    #[error("no confirm within {CONFIRM_DEADLINE:?}")]
    NoConfirm(#[from] tokio::time::error::Elapsed),
}

/// Why the broker does not accept a message.
/// Traces have its short name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, IntoStaticStr)]
pub enum Refusal {
    #[error("the queue refuses messages: it is full, or a policy limits it")]
    #[strum(serialize = "refused")]
    Refused,
    #[error("the queue is missing, or not bound to the exchange")]
    #[strum(serialize = "without a queue")]
    Returned,
}

impl Refusal {
    /// The result in metrics.
    const fn result(self) -> Confirm {
        match self {
            Self::Refused => Confirm::Refused,
            Self::Returned => Confirm::Returned,
        }
    }
}

/// The broker's responses to messages.
#[derive(Debug, Default)]
pub struct Sent {
    /// Events that the broker has accepted and routed.
    pub confirmed: Vec<Uuid>,
    /// Why it has not accepted the others: the last reason.
    pub refusal: Option<Refusal>,
}

/// The exchange and the queues of these topics.
pub fn topology(topics: &[Topic]) -> Topology {
    let queues = topics.iter().map(|topic| (topic.name(), topic.binding_key()));
    Topology { exchange: EXCHANGE, queues: queues.collect() }
}

/// Opens a channel on which the broker confirms messages.
pub async fn open_channel(connection: &Connection) -> lapin::Result<Channel> {
    amqp::in_time(async {
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(channel)
    })
    .await
}

/// Sends a batch without waiting in between, and a watermark if there is one, then waits
/// for all confirms.
pub async fn publish(
    channel: &Channel,
    pending: &[Pending],
    watermark: Option<&Watermark>,
) -> Result<Sent, Unsent> {
    let began = Instant::now();
    let mut confirms = Vec::with_capacity(pending.len());
    for chunk in pending.chunks(WRITE_BATCH) {
        // Each future ends when its message is written to the socket.
        let sending = chunk.iter().map(|event| send_event(channel, event));
        // The deadline is for one chunk, so that a slow broker can still make progress.
        confirms.extend(timeout(CONFIRM_DEADLINE, try_join_all(sending)).await??);
    }
    let watermark = match watermark {
        Some(watermark) => send_watermark(channel, watermark).await?,
        None => None,
    };
    let (mut sent, mut refusals) = (Sent::default(), Vec::new());
    for (event, (confirm, mut span)) in pending.iter().zip(confirms) {
        match refusal(confirm).await? {
            None => sent.confirmed.push(event.id),
            Some(refusal) => {
                span.fail(refusal.into());
                refusals.push(refusal);
            }
        }
    }
    if let Some(confirm) = watermark {
        sent.refusal = refusal(confirm).await?;
    }
    sent.refusal = sent.refusal.or(refusals.last().copied());
    if !pending.is_empty() {
        PUBLISH_BATCH_SIZE.record(pending.len() as f64);
        PUBLISH_DURATION.record(began.elapsed().as_secs_f64());
        CONFIRMS.of(Confirm::Confirmed).increment(sent.confirmed.len() as u64);
        refusals.iter().for_each(|refusal| CONFIRMS.of(refusal.result()).increment(1));
    }
    Ok(sent)
}

/// Sends an event. Its span ends when the event is confirmed.
async fn send_event(channel: &Channel, event: &Pending) -> lapin::Result<(PublisherConfirm, Span)> {
    let key = routing_key(&event.topic, &event.event_type);
    let context = Context::of(event);
    let span = publish_span(event, &context);
    let trace = span.context().or(context.trace);
    let properties = message::event_properties(event, context, trace);
    let confirm = send(channel, &key, event.payload.as_bytes(), properties).await?;
    Ok((confirm, span))
}

async fn send_watermark(
    channel: &Channel,
    watermark: &Watermark,
) -> Result<Option<PublisherConfirm>, Unsent> {
    let Ok(body) = serde_json::to_vec(watermark) else { return Ok(None) };
    let key = routing_key(watermark.topic.name(), Watermark::TYPE);
    let sending = send(channel, &key, &body, message::watermark_properties());
    Ok(Some(timeout(CONFIRM_DEADLINE, sending).await??))
}

/// Waits for the broker's response to a message: none if it has accepted it.
async fn refusal(confirm: PublisherConfirm) -> Result<Option<Refusal>, Unsent> {
    Ok(match timeout(CONFIRM_DEADLINE, confirm).await?? {
        Confirmation::Ack(None) => None,
        // The message was returned: no queue is bound.
        Confirmation::Ack(Some(_)) => Some(Refusal::Returned),
        Confirmation::Nack(_) | Confirmation::NotRequested => Some(Refusal::Refused),
    })
}

/// The span of an event, from sending to confirm, below the span of its command.
fn publish_span(event: &Pending, context: &Context) -> Span {
    let Some(trace) = context.trace else { return Span::default() };
    Span::start(trace, || {
        let builder = SpanBuilder::from_name(format!("publish {}", event.topic));
        builder.with_kind(SpanKind::Producer).with_attributes([
            KeyValue::new("messaging.system", "rabbitmq"),
            KeyValue::new("messaging.operation.type", "send"),
            KeyValue::new("messaging.operation.name", "publish"),
            KeyValue::new("messaging.destination.name", event.topic.clone()),
            KeyValue::new("messaging.message.id", event.id.to_string()),
            KeyValue::new("cloudevents.event_type", event.event_type.clone()),
        ])
    })
}

/// Sends one message.
async fn send(
    channel: &Channel,
    key: &str,
    body: &[u8],
    properties: BasicProperties,
) -> lapin::Result<PublisherConfirm> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    channel.basic_publish(EXCHANGE.into(), key.into(), options, body, properties).await
}
