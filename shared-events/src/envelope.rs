//! What every event says about itself.

use chrono::{DateTime, Datelike, SubsecRound, Utc};
use serde::Serialize;
use trace_context::TraceParent;
use uuid::Uuid;

/// The members that all events have, at the top level of their JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// Identity of the event, and of its outbox row: UUIDv7 of our own events.
    pub event_id: Uuid,
    /// Version of the event type's schema, from 1.
    pub version: u32,
    /// Raised with every change of that order, product or user, in the
    /// transaction that changed it.
    pub aggregate_version: i64,
    /// When it happened, to the microsecond, which is what PostgreSQL keeps.
    pub timestamp: DateTime<Utc>,
    /// The trace that the event belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<TraceParent>,
}

impl Envelope {
    /// Of an event that happens now.
    pub fn new(aggregate_version: i64, timestamp: DateTime<Utc>, trace: TraceParent) -> Self {
        Self {
            event_id: Uuid::now_v7(),
            version: 1,
            aggregate_version,
            timestamp,
            traceparent: Some(trace),
        }
    }
}

/// The time of day, to the microsecond: what PostgreSQL keeps, so that a time
/// is the same in a row, in an event and in a view.
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// The lowest id that an event of ours of that time can have: UUIDv7 begin with the
/// milliseconds.
pub fn lowest_event_id(time: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(time.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

/// A time that was read, to the microsecond; none outside the years 1 to 9999,
/// which alone ISO 8601 writes plainly. By way of a number: a leap second would
/// otherwise be two values for one instant.
pub(crate) fn to_the_microsecond(time: DateTime<Utc>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(time.timestamp_micros())
        .filter(|time| (1..=9999).contains(&time.year()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_lowest_id_is_below_those_of_now_and_above_those_before() {
        let now = Uuid::now_v7();
        let lowest_before = lowest_event_id(Utc::now() - Duration::from_secs(1));
        let lowest_after = lowest_event_id(Utc::now() + Duration::from_secs(1));
        assert!(lowest_before < now && now < lowest_after);
    }
}
