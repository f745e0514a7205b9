//! The envelope: the properties that every event has.

use chrono::{DateTime, Datelike, SubsecRound, Utc};
use serde::Serialize;
use trace_context::TraceParent;
use uuid::Uuid;

/// The properties of every event, at the top level of its JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// Id of the event and of its outbox row; UUIDv7 for our own events.
    pub event_id: Uuid,
    /// Schema version of the event type, from 1.
    pub version: u32,
    /// Version of the order, product or user, raised in each transaction that changes it.
    pub aggregate_version: i64,
    /// Time of the event, to the microsecond as in PostgreSQL.
    pub timestamp: DateTime<Utc>,
    /// Trace context of the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<TraceParent>,
}

/// The current time, to the microsecond as in PostgreSQL, so that a time is the same in a row, in
/// an event and in a view.
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// The lowest id that one of our own events of this time can have: a UUIDv7 starts with the time
/// in milliseconds.
pub fn lowest_event_id(time: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(time.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

/// Truncates a time to the microsecond; none outside the years 1 to 9999, which ISO 8601 writes
/// with four digits. The conversion through a number makes a leap second one value.
pub(crate) fn to_the_microsecond(time: DateTime<Utc>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(time.timestamp_micros())
        .filter(|time| (1..=9999).contains(&time.year()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_lowest_id_of_a_time_separates_earlier_and_later_ids() {
        let now = Uuid::now_v7();
        let lowest_before = lowest_event_id(Utc::now() - Duration::from_secs(1));
        let lowest_after = lowest_event_id(Utc::now() + Duration::from_secs(1));
        assert!(lowest_before < now && now < lowest_after);
    }
}
