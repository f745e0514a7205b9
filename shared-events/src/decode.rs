//! Reads events property by property, so that errors name the property.
//!
//! Our own events are read strictly, without defaults. Of an external event, which another
//! publisher has sent, few properties are required. A missing property gets a default if only one
//! value is possible. An ambiguous value is refused.

use crate::envelope::to_the_microsecond;
use crate::limits::MAX_AGGREGATE_VERSION;
use crate::message::{Attributes, id_from};
use crate::properties::{Properties, YEARS, text};
use crate::{DecodeError, Envelope, Event, EventType, Payload};
use chrono::{DateTime, Duration, Utc};
use trace_context::TraceParent;
use uuid::Uuid;

/// How far the times of an external event may be ahead of the reader's clock. Sales belong to the
/// hour of their order, and `lastProcessedEventTimestamp` is the time of the newest event.
const CLOCK_TOLERANCE: Duration = Duration::minutes(5);

/// An external event.
#[derive(Clone, Debug)]
pub struct External {
    /// The event. Lines of an `OrderCreated` may lack name and category, which are empty
    /// then; see [`OrderLine::lacks_product`](crate::OrderLine::lacks_product).
    pub event: Event,
    /// Whether the timestamp is that of the message, because the body has none.
    has_message_time: bool,
}

impl Event {
    /// Reads one of our own events. Any time is valid: a committed event is applied even if the
    /// clock of the command service was wrong.
    ///
    /// # Errors
    /// The bytes are not a valid event; see [`DecodeError`].
    pub fn decode(body: &[u8], content_encoding: Option<&str>) -> Result<Self, DecodeError> {
        let properties = Properties::of_body(body, content_encoding, true)?;
        let id = |json: &str| Uuid::parse_str(&text(json)?).map_err(|_| "must be a UUID".into());
        let event_id = properties.required("eventId", id)?;
        read(&properties, event_id, Attributes::default())
    }

    /// The id of an event, for a dead letter; the event may be invalid otherwise.
    pub fn id_of(body: &[u8], attributes: Attributes<'_>) -> Option<Uuid> {
        // Other properties need not be UTF-8.
        let json = String::from_utf8_lossy(body);
        let properties = Properties::of_body(json.as_bytes(), None, false);
        let in_body = properties.and_then(|properties| properties.optional("eventId", text));
        id_from(in_body.ok().flatten().as_deref(), attributes)
    }
}

impl External {
    /// Reads an external event at the time `now`.
    ///
    /// # Errors
    /// The bytes are not a valid event; see [`DecodeError`].
    pub fn decode(
        body: &[u8],
        attributes: Attributes<'_>,
        now: DateTime<Utc>,
    ) -> Result<Self, DecodeError> {
        let properties = Properties::of_body(body, attributes.content_encoding, false)?;
        let event_id = id_from(properties.optional("eventId", text)?.as_deref(), attributes)
            .ok_or(DecodeError::NoEventId)?;
        let event = read(&properties, event_id, attributes)?;
        let times = [
            ("timestamp", Some(event.envelope.timestamp)),
            ("orderedAt", event.payload.ordered_at()),
        ];
        for (property, time) in times {
            if let Some(time) = time.filter(|time| *time > now + CLOCK_TOLERANCE) {
                return Err(DecodeError::InTheFuture(property, time));
            }
        }
        Ok(Self { event, has_message_time: properties.json("timestamp")?.is_none() })
    }

    /// [`Event::content`] without the timestamp of the message, which differs when the event is
    /// sent again.
    pub fn content(&self) -> String {
        let mut event = self.event.clone();
        if self.has_message_time {
            event.envelope.timestamp = DateTime::UNIX_EPOCH;
        }
        event.content()
    }
}

/// Reads an event. An external one can have its type and time in the message.
fn read(
    properties: &Properties<'_>,
    event_id: Uuid,
    attributes: Attributes<'_>,
) -> Result<Event, DecodeError> {
    let timestamp = properties.time("timestamp")?.or(attributes.timestamp);
    let timestamp = to_the_microsecond(timestamp.ok_or(DecodeError::NoTimestamp)?)
        .ok_or_else(|| properties.refuse("timestamp", YEARS))?;
    let kind = properties.optional("eventType", text)?;
    let kind = properties.or_default("eventType", kind.as_deref(), || attributes.kind)?;
    let version = properties.small("version", 0, i32::MAX)?;
    let version = properties.or_default("version", version, || Some(1))?.unsigned_abs();
    let payload = Payload::read(properties, EventType::of_version(kind, version)?)?;
    let aggregate_version = properties.whole("aggregateVersion", 1, MAX_AGGREGATE_VERSION)?;
    let default_version = || Some(payload.default_version());
    let aggregate_version =
        properties.or_default("aggregateVersion", aggregate_version, default_version)?;
    // A malformed trace context is ignored: the event does not depend on it.
    let trace = properties.optional("traceparent", |json| Ok(text(json).ok()))?.flatten();
    let traceparent = trace.as_deref().and_then(TraceParent::parse);
    let envelope = Envelope { event_id, version: 1, aggregate_version, timestamp, traceparent };
    Ok(Event { envelope, payload })
}

#[cfg(test)]
mod external_tests;
#[cfg(test)]
mod own_tests;
