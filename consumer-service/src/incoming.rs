//! What a delivery turns out to be.

use chrono::{DateTime, TimeDelta, Utc};
use lapin::message::Delivery;
use shared_events::topology::{EXCHANGE, PUBLISHER};
use shared_events::{Attributes, Event, Topic, Watermark};
use uuid::Uuid;

/// A watermark may be this far ahead of our clock, as events may.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// A delivery, read.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The queue that it came from.
    pub topic: Topic,
    /// Whether our publisher sent it, by our exchange: then it is a copy from our
    /// own outbox, which watermarks count.
    pub ours: bool,
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
        /// Why.
        reason: String,
    },
}

impl Incoming {
    /// Reads a delivery that arrived at `now` from the queue of `topic`.
    pub fn read(topic: Topic, delivery: Delivery, now: DateTime<Utc>) -> Self {
        let properties = &delivery.properties;
        let sender = properties.app_id().as_ref().map(|id| id.as_str());
        let from_publisher = delivery.exchange.as_str() == EXCHANGE && sender == Some(PUBLISHER);
        let message_id = properties.message_id().as_ref().map(|id| id.as_str());
        let is_watermark =
            properties.kind().as_ref().is_some_and(|kind| kind.as_str() == Watermark::TYPE);
        let content = if from_publisher && is_watermark {
            watermark(topic, &delivery.data, now)
        } else {
            let timestamp = properties
                .timestamp()
                .and_then(|seconds| DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0));
            event(&delivery.data, Attributes { message_id, timestamp }, now)
        };
        let ours = from_publisher && !is_watermark;
        Self { topic, ours, body: delivery.data, content }
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
    match serde_json::from_slice::<Watermark>(body) {
        Ok(Watermark { topic: other, .. }) if other != topic => {
            unreadable(None, "a watermark of another topic")
        }
        // One from the future would make a dead pipe look alive until then.
        Ok(Watermark { taken_at, committed, .. })
            if committed < 0 || taken_at - now > CLOCK_TOLERANCE =>
        {
            unreadable(None, "a watermark out of range: are the clocks right?")
        }
        Ok(watermark) => Content::Watermark(watermark),
        Err(error) => unreadable(None, error),
    }
}

fn event(body: &[u8], attributes: Attributes<'_>, now: DateTime<Utc>) -> Content {
    match Event::decode(body, attributes, now) {
        Ok(event) => Content::Event(event),
        Err(error) => unreadable(Event::id_of(body, attributes.message_id), error),
    }
}

fn unreadable(event_id: Option<Uuid>, reason: impl ToString) -> Content {
    Content::Unreadable { event_id, reason: reason.to_string() }
}
