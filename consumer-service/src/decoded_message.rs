//! Decodes the messages of a queue.

use crate::dead_letter_reasons::{defective, too_large, unreadable};
use crate::watermarks;
use chrono::{DateTime, Utc};
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use service_runtime::amqp::Defect;
use sha2::{Digest, Sha256};
use shared_events::limits::MAX_EVENT_BYTES;
use shared_events::topology::{EXCHANGE, PUBLISHER};
use shared_events::{Attributes, Event, External, Topic, Watermark};
use strum::EnumTryAs;
use trace_context::TraceParent;
use uuid::Uuid;

/// A message as delivered, or as stored in a dead letter.
#[derive(Clone, Debug, Default)]
pub struct RawMessage {
    /// Whether our publisher sent it through our exchange.
    pub is_from_publisher: bool,
    /// The AMQP properties.
    pub properties: Properties,
    /// The trace of its header. If there is none, decoding sets that of the event.
    pub trace: Option<TraceParent>,
    /// The body.
    pub body: Vec<u8>,
    /// The violation of AMQP, if any. Such a message is unreadable.
    pub defect: Option<Defect>,
}

/// The AMQP properties of a message.
#[derive(Clone, Debug, Default)]
pub struct Properties {
    /// The message type.
    pub kind: Option<String>,
    /// The application that sent it.
    pub app_id: Option<String>,
    /// The encoding of the body.
    pub content_encoding: Option<String>,
    /// The message id.
    pub message_id: Option<String>,
    /// The time of sending.
    pub sent_at: Option<DateTime<Utc>>,
}

/// A decoded message.
#[derive(Clone, Debug)]
pub struct DecodedMessage {
    /// The topic of its queue.
    pub topic: Topic,
    /// Whether it comes from our own outbox. Watermarks count these messages.
    pub ours: bool,
    /// The message as delivered.
    pub raw: RawMessage,
    /// The meaning of the body.
    pub content: Content,
    /// Of an external event: SHA-256 of its content.
    pub digest: Option<[u8; 32]>,
}

/// The meaning of a body.
#[derive(Clone, Debug, EnumTryAs)]
pub enum Content {
    /// An event that can be applied.
    Event(Event),
    /// The number of committed events at a time.
    Watermark(Watermark),
    /// An invalid watermark, which is ignored. The next one follows within a second.
    InvalidWatermark,
    /// Not an event that can be applied.
    Unreadable {
        /// The event id, if it is readable.
        event_id: Option<Uuid>,
        /// The cause and what to do.
        reason: String,
    },
}

impl From<Delivery> for RawMessage {
    fn from(delivery: Delivery) -> Self {
        let amqp = &delivery.properties;
        let text = |text: &Option<ShortString>| text.as_ref().map(|text| text.as_str().to_owned());
        let seconds = amqp.timestamp().and_then(|seconds| i64::try_from(seconds).ok());
        let properties = Properties {
            kind: text(amqp.kind()),
            app_id: text(amqp.app_id()),
            content_encoding: text(amqp.content_encoding()),
            message_id: text(amqp.message_id()),
            sent_at: seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        };
        Self {
            is_from_publisher: delivery.exchange.as_str() == EXCHANGE
                && properties.app_id.as_deref() == Some(PUBLISHER),
            trace: amqp.headers().as_ref().and_then(trace),
            properties,
            body: delivery.data,
            defect: None,
        }
    }
}

fn trace(headers: &FieldTable) -> Option<TraceParent> {
    let AMQPValue::LongString(text) = headers.inner().get("traceparent")? else { return None };
    TraceParent::parse(std::str::from_utf8(text.as_bytes()).ok()?)
}

impl DecodedMessage {
    /// Decodes a message from the queue of `topic`. `now` is the time by the database's clock.
    pub fn decode(topic: Topic, mut raw: RawMessage, now: DateTime<Utc>) -> Self {
        let RawMessage { is_from_publisher, ref properties, .. } = raw;
        let is_watermark = is_from_publisher && properties.kind.as_deref() == Some(Watermark::TYPE);
        let ours = is_from_publisher && !is_watermark;
        let attributes = Attributes {
            queue: topic.name(),
            app_id: properties.app_id.as_deref(),
            kind: properties.kind.as_deref(),
            content_encoding: properties.content_encoding.as_deref(),
            message_id: properties.message_id.as_deref(),
            timestamp: properties.sent_at,
        };
        let (content, digest) = if is_watermark && raw.defect.is_none() {
            let watermark = watermarks::read(topic, &raw.body, now);
            (watermark.map_or(Content::InvalidWatermark, Content::Watermark), None)
        } else {
            match event(&raw, ours, attributes, now) {
                Ok((event, digest)) => (Content::Event(event), digest),
                Err(reason) => {
                    let event_id = Event::id_of(&raw.body, attributes);
                    (Content::Unreadable { event_id, reason }, None)
                }
            }
        };
        let of_event = content.try_as_event_ref().and_then(|event| event.envelope.traceparent);
        raw.trace = raw.trace.or(of_event);
        Self { topic, ours, raw, content, digest }
    }

    /// The event, if the message is one.
    pub fn event(&self) -> Option<&Event> {
        self.content.try_as_event_ref()
    }

    /// The event type, if the message is a readable event.
    pub fn event_type(&self) -> Option<&'static str> {
        self.event().map(|event| event.payload.event_type().name())
    }

    /// The event id, if it is readable.
    pub fn event_id(&self) -> Option<Uuid> {
        match &self.content {
            Content::Event(event) => Some(event.envelope.event_id),
            Content::Watermark(_) | Content::InvalidWatermark => None,
            Content::Unreadable { event_id, .. } => *event_id,
        }
    }
}

/// The event, with its digest if it is external. The error is the reason why there is none.
fn event(
    RawMessage { body, defect, .. }: &RawMessage,
    ours: bool,
    attributes: Attributes<'_>,
    now: DateTime<Utc>,
) -> Result<(Event, Option<[u8; 32]>), String> {
    if let Some(defect) = defect {
        return Err(defective(defect, body.len()));
    }
    if body.len() > MAX_EVENT_BYTES {
        return Err(too_large(body.len()));
    }
    if ours {
        let event = Event::decode(body, attributes.content_encoding);
        return event.map(|event| (event, None)).map_err(|error| unreadable(&error));
    }
    let external = External::decode(body, attributes, now).map_err(|error| unreadable(&error))?;
    let digest = Sha256::digest(external.content()).into();
    Ok((external.event, Some(digest)))
}
