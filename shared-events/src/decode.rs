//! Reads our own events: fast and strict, without defaults. [`External`](crate::External)
//! reads those of other publishers.
//!
//! Two passes over the same bytes, the envelope and then the payload by its
//! type, because exact numbers cannot be read below `serde(flatten)` or tags.

use crate::envelope::to_the_microsecond;
use crate::properties::Problem;
use crate::{Envelope, Event, EventType, Payload, PriceChanged, ProductState, UserState, external};
use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use trace_context::TraceParent;
use uuid::Uuid;

/// How far the time of an external event may be ahead of the reader's clock.
pub(crate) const CLOCK_TOLERANCE: Duration = Duration::minutes(5);

/// Highest aggregate version. One beyond what a counter can come to would pin
/// the state of its aggregate for ever.
pub(crate) const MAX_AGGREGATE_VERSION: i64 = 1 << 53;

/// Years that ISO 8601 writes with four digits.
pub(crate) const YEARS: &str = "must lie in the years 1 to 9999";

/// Namespace of event ids made from texts that are no UUIDs.
const ID_NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_9a52_7c41_5b0e_9d6a_3e2b_8c70_4f15);

/// The AMQP properties of a message, and its queue.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes<'a> {
    /// The queue that it came from.
    pub queue: &'a str,
    /// The AMQP application id.
    pub app_id: Option<&'a str>,
    /// The AMQP message type.
    pub kind: Option<&'a str>,
    /// The AMQP content encoding.
    pub content_encoding: Option<&'a str>,
    /// The AMQP message id.
    pub message_id: Option<&'a str>,
    /// The AMQP timestamp.
    pub timestamp: Option<DateTime<Utc>>,
}

/// Why bytes are no event.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// No JSON object.
    #[error("{0}")]
    Body(String),
    /// An event of ours that does not match its type.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// Neither the body nor the message has an id.
    #[error("eventId: is required, as the message has no message_id")]
    NoEventId,
    /// Neither the body nor the message has a time.
    #[error("timestamp: is required, as the message has none")]
    NoTimestamp,
    /// The event is from the future: the property, and its value.
    #[error("{0}: {time} is more than 5 minutes ahead", time = .1.to_rfc3339_opts(SecondsFormat::AutoSi, true))]
    InTheFuture(&'static str, DateTime<Utc>),
    /// A type that this version does not know.
    #[error("unknown event type {0:?}")]
    UnknownType(String),
    /// A schema version that this version does not know.
    #[error("unknown version {1} of {0}")]
    UnknownVersion(String, u32),
    /// A property is missing or wrong.
    #[error("{path}: {problem}")]
    Property {
        /// Where it is, as `items[3].price`.
        path: String,
        /// What it must be.
        problem: Problem,
    },
}

impl DecodeError {
    pub(crate) fn property(path: impl Into<String>, problem: impl Into<Problem>) -> Self {
        Self::Property { path: path.into(), problem: problem.into() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    event_id: Uuid,
    event_type: String,
    version: u32,
    aggregate_version: i64,
    timestamp: DateTime<Utc>,
    #[serde(default, deserialize_with = "well_formed")]
    traceparent: Option<TraceParent>,
}

/// Drops a malformed trace context: the event does not depend on it.
fn well_formed<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<TraceParent>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.as_deref().and_then(TraceParent::parse))
}

impl Event {
    /// Reads an event of ours. Any time is valid: a committed event is applied even if
    /// the command service's clock was wrong.
    ///
    /// # Errors
    /// If the bytes are no event that can be applied; see [`DecodeError`].
    pub fn decode(body: &[u8], content_encoding: Option<&str>) -> Result<Self, DecodeError> {
        decode(body).map_err(|error| match error {
            // Read again, to name the property.
            DecodeError::Json(_) => {
                external::fault_of_ours(body, content_encoding).unwrap_or(error)
            }
            error => error,
        })
    }

    /// The id of an event that may be otherwise unreadable, for the dead
    /// letter's sake.
    pub fn id_of(body: &[u8], attributes: Attributes<'_>) -> Option<Uuid> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct OnlyId {
            event_id: String,
        }
        let only_id = serde_json::from_slice::<OnlyId>(body);
        id_from(only_id.as_ref().map(|only| only.event_id.as_str()).ok(), attributes)
    }
}

fn decode(body: &[u8]) -> Result<Event, DecodeError> {
    let head: Head = serde_json::from_slice(body)?;
    let timestamp = to_the_microsecond(head.timestamp)
        .ok_or_else(|| DecodeError::property("timestamp", YEARS))?;
    let payload = Payload::decode(body, check_version(&head.event_type, head.version)?)?;
    if !(1..=MAX_AGGREGATE_VERSION).contains(&head.aggregate_version) {
        return Err(DecodeError::property("aggregateVersion", "is out of range"));
    }
    let envelope = Envelope {
        event_id: head.event_id,
        version: head.version,
        aggregate_version: head.aggregate_version,
        timestamp,
        traceparent: head.traceparent,
    };
    Ok(Event { envelope, payload })
}

impl Payload {
    fn decode(body: &[u8], event_type: EventType) -> Result<Self, DecodeError> {
        Ok(match event_type {
            EventType::ProductCreated => Self::ProductCreated(read::<ProductState>(body)?.check()?),
            EventType::ProductUpdated => Self::ProductUpdated(read::<ProductState>(body)?.check()?),
            EventType::PriceChanged => Self::PriceChanged(PriceChanged {
                product: read::<ProductState>(body)?.check()?,
                prices: read(body)?,
            }),
            EventType::OrderCreated => Self::OrderCreated(crate::OrderCreated::read(body)?),
            EventType::OrderStatusUpdated => {
                Self::OrderStatusUpdated(crate::OrderStatusUpdated::read(body)?)
            }
            EventType::UserCreated => Self::UserCreated(read::<UserState>(body)?.check()?),
            EventType::UserUpdated => Self::UserUpdated(read::<UserState>(body)?.check()?),
            EventType::AccountCreated => {
                Self::AccountCreated(read::<crate::AccountCreated>(body)?.check()?)
            }
        })
    }
}

/// The event type of that name, if this version of its schema is known.
pub(crate) fn check_version(name: &str, version: u32) -> Result<EventType, DecodeError> {
    let event_type =
        EventType::from_name(name).ok_or_else(|| DecodeError::UnknownType(name.to_owned()))?;
    if version == 1 {
        Ok(event_type)
    } else {
        Err(DecodeError::UnknownVersion(name.to_owned(), version))
    }
}

/// Sales belong to the hour of their order, and `lastProcessedEventTimestamp` is that of
/// the newest event: that of another publisher may not lie in the future.
pub(crate) fn not_ahead(
    property: &'static str,
    time: DateTime<Utc>,
    limit: DateTime<Utc>,
) -> Result<(), DecodeError> {
    if time > limit { Err(DecodeError::InTheFuture(property, time)) } else { Ok(()) }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
    Ok(serde_json::from_slice(body)?)
}

/// The event id from the body, else from the message. A string that is no UUID becomes
/// one, always the same for one application and queue: another application may use the
/// same string for another event.
pub(crate) fn id_from(in_body: Option<&str>, attributes: Attributes<'_>) -> Option<Uuid> {
    let is_there = |text: &&str| !text.is_empty();
    let text = in_body.filter(is_there).or(attributes.message_id.filter(is_there))?;
    Some(Uuid::parse_str(text).unwrap_or_else(|_| {
        let scope = [attributes.queue, attributes.app_id.unwrap_or_default(), text];
        Uuid::new_v5(&ID_NAMESPACE, scope.join("\0").as_bytes())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::External;

    const ORDER: &str = include_str!("../golden/OrderCreated.v1.json");
    const UPDATE: &str = include_str!("../golden/OrderStatusUpdated.v1.json");
    const PRODUCT: &str = include_str!("../golden/ProductCreated.v1.json");
    const ACCOUNT: &str = include_str!("../golden/AccountCreated.v1.json");

    fn decode(body: &str) -> Result<Event, DecodeError> {
        Event::decode(body.as_bytes(), None)
    }

    #[test]
    fn golden_files_are_read_and_written_as_they_stand_whoever_sends_them() {
        for golden in [
            PRODUCT,
            include_str!("../golden/ProductUpdated.v1.json"),
            include_str!("../golden/PriceChanged.v1.json"),
            ORDER,
            UPDATE,
            include_str!("../golden/UserCreated.v1.json"),
            include_str!("../golden/UserUpdated.v1.json"),
            ACCOUNT,
        ] {
            let event = decode(golden).unwrap();
            let compact: Vec<&str> = golden.lines().map(str::trim).collect();
            assert_eq!(event.to_json().unwrap(), compact.concat().replace("\": ", "\":"));
            let now = "2026-01-01T12:00:00Z".parse().unwrap();
            let external = External::decode(golden.as_bytes(), Attributes::default(), now);
            assert_eq!(external.unwrap().event, event);
        }
    }

    #[test]
    fn our_events_are_applied_whatever_their_time() {
        let ahead = decode(&UPDATE.replace("\"2026", "\"2226")).unwrap();
        assert_eq!(ahead.envelope.timestamp.to_rfc3339(), "2226-01-01T11:05:00.123456+00:00");
    }

    #[test]
    fn what_is_wrong_with_an_event_of_ours_is_told_by_property() {
        for (golden, from, to, told) in [
            (ORDER, "\"total\": 44.98", "\"total\": 44.99", "total: must be the sum"),
            (ORDER, "\"total\": 44.98", "\"sum\": 44.98", "total: is required"),
            (ORDER, "\"quantity\": 2", "\"quantity\": 0", "items[0].quantity: must be"),
            (ORDER, "\"quantity\": 2", "\"quantity\": 2.0", "items[0].quantity: must be a whole"),
            (ORDER, "\"stockTaken\": 2", "\"stockTaken\": 3", "items[0].stockTaken: must be"),
            (ORDER, "\"price\": 5", "\"price\": -5", "items[1].price: must be from 0"),
            (ORDER, "\"price\": 19.99", "\"price\": \"19.99\"", "items[0].price: must be a number"),
            (ORDER, "\"price\": 5", "\"price\": 5.00001", "items[1].price: must have at most 4"),
            (ORDER, "\"category\": \"Books\",", "", "items[0].category: is required"),
            (
                ORDER,
                "\"category\": \"Food\"",
                "\"category\": \" \"",
                "items[1].category: must be 1",
            ),
            (ORDER, "\"Food\"", "\"Fo\\u0000od\"", "items[1].category: must be 1"),
            (ORDER, "\"orderId\": 7", "\"orderId\": 99999999999999999999", "orderId: must be"),
            (ORDER, "\"orderId\": 7", "\"orderId\": 7, \"orderId\": 8", "orderId: appears more"),
            (ORDER, "\"version\": 1", "\"version\": 2", "unknown version 2"),
            (ORDER, "\"aggregateVersion\": 1", "\"aggregateVersion\": 0", "aggregateVersion:"),
            (ORDER, "\"aggregateVersion\": 1,", "", "aggregateVersion: is required"),
            (ORDER, "\"status\": \"CREATED\"", "\"status\": \"PAID\"", "status: must be CREATED"),
            (ORDER, "\"OrderCreated\"", "\"OrderEaten\"", "unknown event type"),
            (ORDER, "T10:30:00.123456Z", "T10:30:00", "timestamp: must be an ISO 8601"),
            (ORDER, "\"timestamp\": \"2026", "\"timestamp\": \"0000", "timestamp: must lie"),
            (UPDATE, "\"stockReturned\": 2", "\"stockReturned\": 3", "items[0].stockReturned:"),
            (UPDATE, "\"stockTaken\": 2", "\"stockTaken\": 1", "items[0].stockReturned:"),
            (UPDATE, "\"PAID\"", "\"REFUNDED\"", "newStatus: CANCELLED may not follow REFUNDED"),
            (UPDATE, "\"CANCELLED\"", "\"EATEN\"", "newStatus: must be one of CREATED"),
            (UPDATE, "\"orderedAt\": \"2", "\"orderedAt\": \"-2", "orderedAt: must lie"),
            (ACCOUNT, "\"userId\": 42", "\"userId\": 0", "userId: must be at least 1"),
            (ACCOUNT, "\"Springfield\"", "\"\"", "city: must be 1 to 200"),
            (PRODUCT, "\"stockDelta\": 100", "\"stockDelta\": null", "stockDelta: is required"),
            (PRODUCT, "{", "", "not JSON: "),
        ] {
            let body = golden.replacen(from, to, 1);
            assert_ne!(body, golden, "{from} is not in the golden file");
            let error = decode(&body).unwrap_err().to_string();
            assert!(error.starts_with(told), "{to}: {error}");
        }
    }

    #[test]
    fn amounts_of_orders_keep_every_digit() {
        for (golden, quantity) in [(ORDER, "\"quantity\": 2"), (UPDATE, "\"quantity\": 2")] {
            let body = golden
                .replace(quantity, "\"quantity\": 1")
                .replace("\"stockTaken\": 2", "\"stockTaken\": 1")
                .replace("\"stockReturned\": 2", "\"stockReturned\": 1")
                .replace("19.99", "987654321098.7654")
                .replace("44.98", "987654321103.7654");
            let event = decode(&body).unwrap();
            let json = event.to_json().unwrap();
            assert!(json.contains("\"price\":987654321098.7654,"), "{json}");
            assert!(json.ends_with("\"total\":987654321103.7654}"), "{json}");
            assert_eq!(decode(&json).unwrap(), event);
        }
    }

    #[test]
    fn a_leap_second_is_one_instant() {
        let at = |time| {
            decode(&ORDER.replace("2026-01-01T10:30:00.123456Z", time)).unwrap().envelope.timestamp
        };
        assert_eq!(at("2025-12-31T23:59:60Z"), at("2026-01-01T00:00:00Z"));
    }

    #[test]
    fn ids_are_found_in_what_is_otherwise_unreadable() {
        let id_of = |body: &[u8], message_id| {
            Event::id_of(body, Attributes { message_id, ..Attributes::default() })
        };
        assert!(id_of(br#"{"eventId":"0190a000-0000-7000-8000-00000000002a"}"#, None).is_some());
        assert_eq!(id_of(b"not json", None), None);
        assert!(id_of(b"not json", Some("m-1")).is_some());
    }
}
