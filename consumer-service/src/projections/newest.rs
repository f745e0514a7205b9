//! Keeps the newest of several values, independent of the order in which they arrive.

use shared_events::Event;
use uuid::Uuid;

/// The value of the event with the highest aggregate version. Of equal versions, which only
/// external events can have, the highest event id wins.
#[derive(Debug)]
pub struct Newest<T> {
    /// None before the first event.
    pub value: Option<T>,
    /// The aggregate version of the event; 0 before the first.
    pub version: i64,
    /// The id of the event; nil before the first.
    pub event_id: Uuid,
}

impl<T> Default for Newest<T> {
    fn default() -> Self {
        Self { value: None, version: 0, event_id: Uuid::nil() }
    }
}

impl<T> Newest<T> {
    /// Replaces the value by that of a newer event.
    pub fn offer(&mut self, event: &Event, value: T) {
        let (version, event_id) = (event.envelope.aggregate_version, event.envelope.event_id);
        if (version, event_id) > (self.version, self.event_id) {
            *self = Self { value: Some(value), version, event_id };
        }
    }
}
