//! What a delivery turns out to be.

use crate::dead_letters::{defective, too_large, unreadable as reason};
use crate::watermarks;
use chrono::{DateTime, Utc};
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use service_runtime::amqp::Defect;
use sha2::{Digest, Sha256};
use shared_events::limits::MAX_EVENT_BYTES;
use shared_events::topology::{EXCHANGE, PUBLISHER};
use shared_events::{Attributes, Event, External, Topic, Watermark};
use trace_context::TraceParent;
use uuid::Uuid;

/// A message, as far as it matters: as it came, or as a dead letter has kept it.
#[derive(Clone, Debug)]
pub struct Message {
    /// Whether our publisher sent it, by our exchange.
    pub is_from_publisher: bool,
    /// Its AMQP properties.
    pub properties: Properties,
    /// The trace that its header names.
    pub trace: Option<TraceParent>,
    /// The bytes.
    pub body: Vec<u8>,
    /// What is wrong with it as an AMQP message.
    pub defect: Option<Defect>,
}

/// The AMQP properties of a message.
#[derive(Clone, Debug, Default)]
pub struct Properties {
    /// The message type.
    pub kind: Option<String>,
    /// The application that sent it.
    pub app_id: Option<String>,
    /// How the bytes are encoded.
    pub content_encoding: Option<String>,
    /// The message id.
    pub message_id: Option<String>,
    /// The timestamp.
    pub sent_at: Option<DateTime<Utc>>,
}

/// A delivery, read.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The queue that it came from.
    pub topic: Topic,
    /// Whether it is a copy from our own outbox, which watermarks count.
    pub ours: bool,
    /// The AMQP properties of the message.
    pub properties: Properties,
    /// The trace that it belongs to: by its header, else by the event.
    pub trace: Option<TraceParent>,
    /// The bytes as they came.
    pub body: Vec<u8>,
    /// What is wrong with it as an AMQP message; it is unreadable then.
    pub defect: Option<Defect>,
    /// What they say.
    pub content: Content,
    /// Of an external event: SHA-256 of its content.
    pub digest: Option<[u8; 32]>,
}

/// What the bytes of a delivery say.
#[derive(Clone, Debug)]
pub enum Content {
    /// An event that can be applied.
    Event(Event),
    /// How far the outbox had come.
    Watermark(Watermark),
    /// An invalid watermark. The next one follows within a second.
    Dropped,
    /// Nothing that can be applied.
    Unreadable {
        /// The event's id, as far as it can be made out.
        event_id: Option<Uuid>,
        /// Why, and what to do.
        reason: String,
    },
}

impl From<Delivery> for Message {
    fn from(delivery: Delivery) -> Self {
        let said = &delivery.properties;
        let text = |text: &Option<ShortString>| text.as_ref().map(|text| text.as_str().to_owned());
        let seconds = said.timestamp().and_then(|seconds| i64::try_from(seconds).ok());
        let properties = Properties {
            kind: text(said.kind()),
            app_id: text(said.app_id()),
            content_encoding: text(said.content_encoding()),
            message_id: text(said.message_id()),
            sent_at: seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        };
        Self {
            is_from_publisher: delivery.exchange.as_str() == EXCHANGE
                && properties.app_id.as_deref() == Some(PUBLISHER),
            trace: said.headers().as_ref().and_then(trace),
            properties,
            body: delivery.data,
            defect: None,
        }
    }
}

fn trace(headers: &FieldTable) -> Option<TraceParent> {
    match headers.inner().get("traceparent")? {
        AMQPValue::LongString(text) => {
            TraceParent::parse(std::str::from_utf8(text.as_bytes()).ok()?)
        }
        _ => None,
    }
}

impl Incoming {
    /// Reads a message from the queue of `topic` at the time `now`, by the database's clock.
    pub fn read(topic: Topic, message: Message, now: DateTime<Utc>) -> Self {
        let Message { is_from_publisher, properties, trace, body, defect } = message;
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
        let (content, digest) = if let Some(defect) = &defect {
            let event_id = Event::id_of(&body, attributes);
            (Content::Unreadable { event_id, reason: defective(defect, body.len()) }, None)
        } else if is_watermark {
            (watermarks::read(topic, &body, now).map_or(Content::Dropped, Content::Watermark), None)
        } else {
            event(&body, ours, attributes, now)
        };
        let trace = trace.or(match &content {
            Content::Event(event) => event.envelope.traceparent,
            Content::Watermark(_) | Content::Dropped | Content::Unreadable { .. } => None,
        });
        Self { topic, ours, properties, trace, body, defect, content, digest }
    }

    /// The event, if it could be read.
    pub fn event(&self) -> Option<&Event> {
        match &self.content {
            Content::Event(event) => Some(event),
            Content::Watermark(_) | Content::Dropped | Content::Unreadable { .. } => None,
        }
    }

    /// The event's type, if it is known.
    pub fn event_type(&self) -> Option<&'static str> {
        self.event().map(|event| event.payload.event_type().name())
    }

    /// The event's id, as far as it can be made out.
    pub fn event_id(&self) -> Option<Uuid> {
        match &self.content {
            Content::Event(event) => Some(event.envelope.event_id),
            Content::Watermark(_) | Content::Dropped => None,
            Content::Unreadable { event_id, .. } => *event_id,
        }
    }
}

fn event(
    body: &[u8],
    ours: bool,
    attributes: Attributes<'_>,
    now: DateTime<Utc>,
) -> (Content, Option<[u8; 32]>) {
    let unreadable = |reason| {
        let event_id = Event::id_of(body, attributes);
        (Content::Unreadable { event_id, reason }, None)
    };
    if body.len() > MAX_EVENT_BYTES {
        return unreadable(too_large(body.len()));
    }
    if ours {
        return Event::decode(body, attributes.content_encoding).map_or_else(
            |error| unreadable(reason(&error)),
            |event| (Content::Event(event), None),
        );
    }
    match External::decode(body, attributes, now) {
        Ok(external) => {
            let digest = Sha256::digest(external.content()).into();
            (Content::Event(external.event), Some(digest))
        }
        Err(error) => unreadable(reason(&error)),
    }
}
