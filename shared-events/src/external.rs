//! Reads external events: those that another publisher has sent.
//!
//! Few properties are required. A missing property gets a default if only one value is possible.
//! An ambiguous value is refused, and the reason names the property.

use crate::envelope::to_the_microsecond;
use crate::limits::MAX_AGGREGATE_VERSION;
use crate::message::{Attributes, id_from};
use crate::properties::{Properties, YEARS, text, whole};
use crate::{DecodeError, Envelope, Event, EventType, Payload, body};
use chrono::{DateTime, Duration, Utc};
use trace_context::TraceParent;

/// How far the time of an external event may be ahead of the reader's clock.
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
        if let Some(problem) = body::problem(body, attributes.content_encoding) {
            return Err(DecodeError::Body(problem));
        }
        let properties = read(body, false)?;
        let event_id = id_from(properties.optional("eventId", text)?.as_deref(), attributes)
            .ok_or(DecodeError::NoEventId)?;
        let in_body = properties.time("timestamp")?;
        let timestamp = in_body.or(attributes.timestamp).ok_or(DecodeError::NoTimestamp)?;
        let timestamp =
            to_the_microsecond(timestamp).ok_or_else(|| properties.refuse("timestamp", YEARS))?;
        not_ahead("timestamp", timestamp, now + CLOCK_TOLERANCE)?;
        let kind = properties.optional("eventType", text)?;
        let kind = kind.as_deref().or(attributes.kind);
        let kind = kind.ok_or_else(|| properties.refuse("eventType", "is required"))?;
        let version = properties.small("version", 0, i32::MAX)?.unwrap_or(1);
        let event_type = EventType::of_version(kind, version.unsigned_abs())?;
        let payload = Payload::from_properties(&properties, event_type)?;
        if let Payload::OrderStatusUpdated(update) = &payload {
            not_ahead("orderedAt", update.ordered_at, now + CLOCK_TOLERANCE)?;
        }
        let aggregate_version = properties
            .optional("aggregateVersion", |json| whole(json, 1, MAX_AGGREGATE_VERSION, false))?
            .unwrap_or_else(|| payload.default_version());
        let trace = properties.optional("traceparent", |json| Ok(text(json).ok()));
        let traceparent = trace?.flatten().as_deref().and_then(TraceParent::parse);
        let envelope = Envelope { event_id, version: 1, aggregate_version, timestamp, traceparent };
        let event = Event { envelope, payload };
        Ok(Self { event, has_message_time: in_body.is_none() })
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

/// Describes why one of our own events is invalid; none if no reason is found.
pub(crate) fn problem_of_own_event(
    body: &[u8],
    content_encoding: Option<&str>,
) -> Option<DecodeError> {
    if let Some(problem) = body::problem(body, content_encoding) {
        return Some(DecodeError::Body(problem));
    }
    let check = || {
        let properties = read(body, true)?;
        properties.required("eventId", text)?;
        let kind = properties.required("eventType", text)?;
        let version = properties.whole("version", 0, i32::MAX.into())?;
        properties.whole("aggregateVersion", 1, MAX_AGGREGATE_VERSION)?;
        properties.time("timestamp")?.ok_or(DecodeError::NoTimestamp)?;
        Payload::from_properties(&properties, EventType::of_version(&kind, version as u32)?)
            .map(|_| ())
    };
    check().err()
}

fn read(body: &[u8], strict: bool) -> Result<Properties<'_>, DecodeError> {
    let text = std::str::from_utf8(body).map_err(|_| DecodeError::Body("not UTF-8".to_owned()))?;
    Properties::read(text, String::new(), strict)
}

/// Checks that a time of an external event is not in the future. Sales belong to the hour of
/// their order, and `lastProcessedEventTimestamp` is the time of the newest event.
fn not_ahead(
    property: &'static str,
    time: DateTime<Utc>,
    limit: DateTime<Utc>,
) -> Result<(), DecodeError> {
    if time > limit { Err(DecodeError::InTheFuture(property, time)) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
