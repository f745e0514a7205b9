//! What a delivery turns out to be.

use crate::dead_letters::{Watermarks, too_large, unreadable, wrong_watermark};
use chrono::{DateTime, TimeDelta, Utc};
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};
use shared_events::limits::MAX_EVENT_BYTES;
use shared_events::topology::{EXCHANGE, PUBLISHER};
use shared_events::{Attributes, Event, Topic, TraceParent, Watermark};
use uuid::Uuid;

/// A watermark may be this far ahead of our clock, as events may.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// A message, as far as it matters: as it came, or as a dead letter has kept it.
#[derive(Clone, Debug)]
pub struct Message {
    /// Whether our publisher sent it, by our exchange.
    pub is_from_publisher: bool,
    /// The AMQP message type.
    pub kind: Option<String>,
    /// The AMQP message id.
    pub message_id: Option<String>,
    /// The AMQP timestamp.
    pub sent_at: Option<DateTime<Utc>>,
    /// The trace that its header names.
    pub trace: Option<TraceParent>,
    /// The bytes.
    pub body: Vec<u8>,
}

/// A delivery, read.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The queue that it came from.
    pub topic: Topic,
    /// Whether it is a copy from our own outbox, which watermarks count.
    pub ours: bool,
    /// The AMQP message id.
    pub message_id: Option<String>,
    /// The AMQP timestamp.
    pub sent_at: Option<DateTime<Utc>>,
    /// The trace that it belongs to: by its header, else by the event.
    pub trace: Option<TraceParent>,
    /// The bytes as they came.
    pub body: Vec<u8>,
    /// What they say.
    pub content: Content,
}

/// What the bytes of a delivery say.
#[derive(Clone, Debug)]
pub enum Content {
    /// An event that can be applied.
    Event(Event),
    /// How far the outbox had come.
    Watermark(Watermark),
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
        let properties = &delivery.properties;
        let sender = properties.app_id().as_ref().map(|id| id.as_str());
        let text = |text: &lapin::types::ShortString| text.as_str().to_owned();
        Self {
            is_from_publisher: delivery.exchange.as_str() == EXCHANGE && sender == Some(PUBLISHER),
            kind: properties.kind().as_ref().map(text),
            message_id: properties.message_id().as_ref().map(text),
            sent_at: properties
                .timestamp()
                .and_then(|seconds| DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0)),
            trace: properties.headers().as_ref().and_then(trace),
            body: delivery.data,
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
    /// Reads a message that is at hand at `now`, from the queue of `topic`.
    pub fn read(topic: Topic, message: Message, now: DateTime<Utc>) -> Self {
        let Message { is_from_publisher, kind, message_id, sent_at, trace, body } = message;
        let is_watermark = is_from_publisher && kind.as_deref() == Some(Watermark::TYPE);
        let content = if is_watermark {
            watermark(topic, &body, now)
        } else {
            event(&body, Attributes { message_id: message_id.as_deref(), timestamp: sent_at }, now)
        };
        let ours = is_from_publisher && !is_watermark;
        let trace = trace.or(match &content {
            Content::Event(event) => event.envelope.traceparent,
            Content::Watermark(_) | Content::Unreadable { .. } => None,
        });
        Self { topic, ours, message_id, sent_at, trace, body, content }
    }

    /// The event's type, if it is one that is known.
    pub fn event_type(&self) -> Option<&'static str> {
        match &self.content {
            Content::Event(event) => Some(event.payload.event_type().name()),
            Content::Watermark(_) | Content::Unreadable { .. } => None,
        }
    }

    /// The event's id, as far as it can be made out.
    pub fn event_id(&self) -> Option<Uuid> {
        match &self.content {
            Content::Event(event) => Some(event.envelope.event_id),
            Content::Watermark(_) => None,
            Content::Unreadable { event_id, .. } => *event_id,
        }
    }
}

fn watermark(topic: Topic, body: &[u8], now: DateTime<Utc>) -> Content {
    let wrong = |what| Content::Unreadable { event_id: None, reason: wrong_watermark(what) };
    match serde_json::from_slice::<Watermark>(body) {
        Ok(Watermark { topic: other, .. }) if other != topic => wrong(Watermarks::OfAnotherTopic),
        // One from the future would make a dead pipe look alive until then.
        Ok(Watermark { taken_at, committed, .. })
            if committed < 0 || taken_at - now > CLOCK_TOLERANCE =>
        {
            wrong(Watermarks::OutOfRange)
        }
        Ok(watermark) => Content::Watermark(watermark),
        Err(_) => wrong(Watermarks::Unreadable),
    }
}

fn event(body: &[u8], attributes: Attributes<'_>, now: DateTime<Utc>) -> Content {
    let event_id = || Event::id_of(body, attributes.message_id);
    if body.len() > MAX_EVENT_BYTES {
        return Content::Unreadable { event_id: event_id(), reason: too_large(body.len()) };
    }
    match Event::decode(body, attributes, now) {
        Ok(event) => Content::Event(event),
        Err(error) => Content::Unreadable { event_id: event_id(), reason: unreadable(&error) },
    }
}
