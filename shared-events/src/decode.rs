//! Reading events, whoever wrote them.
//!
//! Two passes over the same bytes, the envelope and then the payload by its
//! type, because exact numbers cannot be read below `serde(flatten)` or tags.

use crate::envelope::to_the_microsecond;
use crate::trace_context::lenient;
use crate::{
    Envelope, Event, EventType, Payload, PriceChanged, ProductState, TraceParent, UserState,
};
use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// An event may be this far ahead of the reader's clock.
const CLOCK_TOLERANCE: Duration = Duration::minutes(5);

/// Highest aggregate version. One beyond what a counter can come to would pin
/// the state of its aggregate for ever.
const MAX_AGGREGATE_VERSION: i64 = 1 << 53;

/// Namespace of event ids made from texts that are no UUIDs.
const ID_NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_9a52_7c41_5b0e_9d6a_3e2b_8c70_4f15);

/// What a message says beside its body, for writers that leave it out there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes<'a> {
    /// The AMQP message id.
    pub message_id: Option<&'a str>,
    /// The AMQP timestamp.
    pub timestamp: Option<DateTime<Utc>>,
}

/// Why bytes are no event.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, or a member is missing or of the wrong type.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// Neither the body nor the message has an id.
    #[error("no event id: neither eventId in the body nor a message id")]
    NoEventId,
    /// Neither the body nor the message has a time.
    #[error("no event time: neither timestamp in the body nor one of the message")]
    NoTimestamp,
    /// The event is from the future.
    #[error("the time {0} is more than 5 minutes ahead")]
    InTheFuture(DateTime<Utc>),
    /// A type that this version does not know.
    #[error("unknown event type {0:?}")]
    UnknownType(String),
    /// A schema version that this version does not know.
    #[error("unknown version {1} of {0}")]
    UnknownVersion(String, u32),
    /// A member is out of its range.
    #[error("{0}")]
    Member(&'static str),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    event_id: Option<String>,
    event_type: String,
    version: Option<u32>,
    aggregate_version: Option<i64>,
    timestamp: Option<DateTime<Utc>>,
    #[serde(default, deserialize_with = "lenient")]
    traceparent: Option<TraceParent>,
}

impl Event {
    /// Reads an event that arrived at `now`.
    ///
    /// # Errors
    /// If the bytes are no event that can be applied; see [`DecodeError`].
    pub fn decode(
        body: &[u8],
        attributes: Attributes<'_>,
        now: DateTime<Utc>,
    ) -> Result<Self, DecodeError> {
        let head: Head = serde_json::from_slice(body)?;
        let event_id = head
            .event_id
            .as_deref()
            .or(attributes.message_id)
            .and_then(id_from_text)
            .ok_or(DecodeError::NoEventId)?;
        let timestamp = head.timestamp.or(attributes.timestamp).ok_or(DecodeError::NoTimestamp)?;
        let timestamp = to_the_microsecond(timestamp)
            .ok_or(DecodeError::Member("timestamp is out of range"))?;
        not_ahead(timestamp, now)?;
        let version = head.version.unwrap_or(1);
        let payload = Payload::decode(body, &head.event_type, version)?;
        let aggregate_version = head.aggregate_version.unwrap_or_else(|| payload.likely_version());
        if !(1..=MAX_AGGREGATE_VERSION).contains(&aggregate_version) {
            return Err(DecodeError::Member("aggregateVersion is out of range"));
        }
        if let Payload::OrderStatusUpdated(update) = &payload {
            not_ahead(update.ordered_at, now)?;
        }
        let envelope = Envelope {
            event_id,
            version,
            aggregate_version,
            timestamp,
            traceparent: head.traceparent,
        };
        Ok(Self { envelope, payload })
    }

    /// The id of an event that may be otherwise unreadable, for the dead
    /// letter's sake.
    pub fn id_of(body: &[u8], message_id: Option<&str>) -> Option<Uuid> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct OnlyId {
            event_id: String,
        }
        let only_id = serde_json::from_slice::<OnlyId>(body);
        let in_body = only_id.as_ref().map(|only| only.event_id.as_str()).ok();
        in_body.or(message_id).and_then(id_from_text)
    }
}

impl Payload {
    /// The aggregate version of an event that does not say it: a beginning comes
    /// before all else, and an order never comes back to a status.
    const fn likely_version(&self) -> i64 {
        match self {
            Self::ProductCreated(_) | Self::OrderCreated(_) | Self::UserCreated(_) => 1,
            Self::OrderStatusUpdated(update) => 1 + update.new_status as i64,
            Self::ProductUpdated(_)
            | Self::PriceChanged(_)
            | Self::UserUpdated(_)
            | Self::AccountCreated(_) => 2,
        }
    }

    fn decode(body: &[u8], event_type: &str, version: u32) -> Result<Self, DecodeError> {
        let event_type = EventType::from_name(event_type)
            .ok_or_else(|| DecodeError::UnknownType(event_type.to_owned()))?;
        if version != 1 {
            return Err(DecodeError::UnknownVersion(event_type.name().to_owned(), version));
        }
        Ok(match event_type {
            EventType::ProductCreated => Self::ProductCreated(read::<ProductState>(body)?.check()?),
            EventType::ProductUpdated => Self::ProductUpdated(read::<ProductState>(body)?.check()?),
            EventType::PriceChanged => Self::PriceChanged(PriceChanged {
                product: read::<ProductState>(body)?.check()?,
                prices: read(body)?,
            }),
            EventType::OrderCreated => {
                Self::OrderCreated(read::<crate::OrderCreated>(body)?.check()?)
            }
            EventType::OrderStatusUpdated => {
                Self::OrderStatusUpdated(read::<crate::OrderStatusUpdated>(body)?.check()?)
            }
            EventType::UserCreated => Self::UserCreated(read::<UserState>(body)?.check()?),
            EventType::UserUpdated => Self::UserUpdated(read::<UserState>(body)?.check()?),
            EventType::AccountCreated => {
                Self::AccountCreated(read::<crate::AccountCreated>(body)?.check()?)
            }
        })
    }
}

/// Sales belong to the hour of their order, and lag is told by the newest event:
/// neither may lie in the future.
fn not_ahead(time: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), DecodeError> {
    if time > now + CLOCK_TOLERANCE { Err(DecodeError::InTheFuture(time)) } else { Ok(()) }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
    Ok(serde_json::from_slice(body)?)
}

/// A text that is a UUID is the event id; another one becomes one, the same
/// each time.
fn id_from_text(text: &str) -> Option<Uuid> {
    (!text.is_empty()).then(|| {
        Uuid::parse_str(text).unwrap_or_else(|_| Uuid::new_v5(&ID_NAMESPACE, text.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = include_str!("../golden/OrderCreated.v1.json");
    const UPDATE: &str = include_str!("../golden/OrderStatusUpdated.v1.json");
    const ACCOUNT: &str = include_str!("../golden/AccountCreated.v1.json");

    fn decode(body: &str, attributes: Attributes<'_>) -> Result<Event, DecodeError> {
        let now = "2026-01-01T12:00:00Z".parse().unwrap();
        Event::decode(body.as_bytes(), attributes, now)
    }

    fn without(member: &str) -> String {
        ORDER
            .lines()
            .filter(|line| !line.trim_start().starts_with(&format!("\"{member}\"")))
            .collect()
    }

    #[test]
    fn golden_files_are_read_and_written_as_they_stand() {
        for golden in [
            include_str!("../golden/ProductCreated.v1.json"),
            include_str!("../golden/ProductUpdated.v1.json"),
            include_str!("../golden/PriceChanged.v1.json"),
            ORDER,
            UPDATE,
            include_str!("../golden/UserCreated.v1.json"),
            include_str!("../golden/UserUpdated.v1.json"),
            include_str!("../golden/AccountCreated.v1.json"),
        ] {
            let event = decode(golden, Attributes::default()).unwrap();
            let compact: Vec<&str> = golden.lines().map(str::trim).collect();
            assert_eq!(event.to_json().unwrap(), compact.concat().replace("\": ", "\":"));
        }
    }

    #[test]
    fn the_message_id_stands_in_for_a_missing_event_id() {
        let body = without("eventId");
        let by = |message_id| {
            decode(&body, Attributes { message_id, ..Attributes::default() })
                .map(|event| event.envelope.event_id)
        };
        let uuid = "0190a000-0000-7000-8000-00000000002a";
        assert_eq!(by(Some(uuid)).unwrap().to_string(), uuid);
        assert_eq!(by(Some("order-7")).unwrap(), by(Some("order-7")).unwrap());
        assert_ne!(by(Some("order-7")).unwrap(), by(Some("order-8")).unwrap());
        assert_eq!(by(Some("order-7")).unwrap().get_version_num(), 5);
        assert!(matches!(by(None), Err(DecodeError::NoEventId)));
        assert!(matches!(by(Some("")), Err(DecodeError::NoEventId)));
    }

    #[test]
    fn the_message_time_stands_in_for_a_missing_timestamp() {
        let body = without("timestamp");
        let timestamp = "2025-05-05T05:05:05Z".parse().ok();
        let event = decode(&body, Attributes { timestamp, ..Attributes::default() }).unwrap();
        assert_eq!(Some(event.envelope.timestamp), timestamp);
        assert!(matches!(decode(&body, Attributes::default()), Err(DecodeError::NoTimestamp)));
    }

    #[test]
    fn without_a_version_an_order_still_goes_its_way() {
        let version = |golden: &str, status: &str| {
            let body = golden.replace("\"newStatus\": \"CANCELLED\"", status);
            let body: String =
                body.lines().filter(|line| !line.contains("aggregateVersion")).collect();
            decode(&body, Attributes::default()).unwrap().envelope.aggregate_version
        };
        let placed = version(ORDER, "");
        let shipped = version(UPDATE, "\"newStatus\": \"SHIPPED\"");
        let refunded = version(UPDATE, "\"newStatus\": \"REFUNDED\"");
        assert!(placed < shipped && shipped < refunded);
    }

    #[test]
    fn events_from_the_future_are_refused_beyond_five_minutes() {
        let at = |time| ORDER.replace("2026-01-01T10:30:00.123456Z", time);
        assert!(decode(&at("2026-01-01T12:05:00Z"), Attributes::default()).is_ok());
        assert!(matches!(
            decode(&at("2026-01-01T12:05:01Z"), Attributes::default()),
            Err(DecodeError::InTheFuture(_))
        ));
        let ordered = UPDATE.replace("2026-01-01T10:30:00.123456Z", "2200-01-01T00:00:00Z");
        assert!(matches!(
            decode(&ordered, Attributes::default()),
            Err(DecodeError::InTheFuture(_))
        ));
    }

    #[test]
    fn what_does_not_add_up_is_refused() {
        for (golden, from, to) in [
            (ORDER, "\"total\": 44.98", "\"total\": 44.99"),
            (ORDER, "\"quantity\": 2", "\"quantity\": 0"),
            (ORDER, "\"quantity\": 2", "\"quantity\": 2.5"),
            (ORDER, "\"stockTaken\": 2", "\"stockTaken\": 3"),
            (ORDER, "\"price\": 19.99", "\"price\": -19.99"),
            (ORDER, "\"price\": 19.99", "\"price\": \"19.99\""),
            (ORDER, "\"category\": \"Books\"", "\"category\": \" \""),
            (ORDER, "\"category\": \"Books\"", "\"category\": \"Bo\\u0000oks\""),
            (ORDER, "\"orderId\": 7", "\"orderId\": 99999999999999999999"),
            (ORDER, "\"version\": 1", "\"version\": 2"),
            (ORDER, "\"aggregateVersion\": 1", "\"aggregateVersion\": 0"),
            (ORDER, "\"aggregateVersion\": 1", "\"aggregateVersion\": 9223372036854775807"),
            (ORDER, "\"status\": \"CREATED\"", "\"status\": \"CANCELLED\""),
            (ORDER, "\"OrderCreated\"", "\"OrderEaten\""),
            (UPDATE, "\"stockReturned\": 2", "\"stockReturned\": 3"),
            (UPDATE, "\"total\": 44.98", "\"total\": 44.99"),
            (UPDATE, "\"oldStatus\": \"PAID\"", "\"oldStatus\": \"REFUNDED\""),
            (UPDATE, "\"oldStatus\": \"PAID\"", "\"oldStatus\": \"DELIVERED\""),
            (UPDATE, "\"newStatus\": \"CANCELLED\"", "\"newStatus\": \"EATEN\""),
            (UPDATE, "\"newStatus\": \"CANCELLED\"", "\"newStatus\": \"PAID\""),
            (UPDATE, "\"stockTaken\": 2", "\"stockTaken\": 1"),
            (UPDATE, "\"orderedAt\": \"2", "\"orderedAt\": \"-2"),
            (ORDER, "\"timestamp\": \"2026", "\"timestamp\": \"0000"),
            (ACCOUNT, "\"userId\": 42", "\"userId\": 0"),
            (ACCOUNT, "\"city\": \"Springfield\"", "\"city\": \"\""),
        ] {
            let body = golden.replacen(from, to, 1);
            assert_ne!(body, golden, "{from} is not in the golden file");
            assert!(decode(&body, Attributes::default()).is_err(), "{to}");
        }
    }

    #[test]
    fn a_leap_second_is_one_instant() {
        let at = |time| {
            let body = ORDER.replace("2026-01-01T10:30:00.123456Z", time);
            decode(&body, Attributes::default()).unwrap().envelope.timestamp
        };
        assert_eq!(at("2025-12-31T23:59:60Z"), at("2026-01-01T00:00:00Z"));
    }

    #[test]
    fn an_event_id_that_is_no_uuid_becomes_one() {
        let body = ORDER.replace("0190a000-0000-7000-8000-000000000004", "evt-1");
        let by = |body: &str| decode(body, Attributes::default()).unwrap().envelope.event_id;
        assert_eq!(by(&body), by(&body));
        assert_eq!(Event::id_of(body.as_bytes(), None), Some(by(&body)));
    }

    #[test]
    fn ids_are_found_in_what_is_otherwise_unreadable() {
        let id = Event::id_of(br#"{"eventId":"0190a000-0000-7000-8000-00000000002a"}"#, None);
        assert!(id.is_some());
        assert_eq!(Event::id_of(b"not json", None), None);
        assert!(Event::id_of(b"not json", Some("m-1")).is_some());
    }
}
