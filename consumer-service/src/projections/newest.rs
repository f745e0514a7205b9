//! The newest of several values, whatever order they come in.

use shared_events::Event;
use uuid::Uuid;

/// The value that came with the newest event: that of the highest aggregate
/// version. The event id settles a tie, which only external events can bring
/// about.
#[derive(Debug)]
pub struct Newest<T> {
    /// None before any event.
    pub value: Option<T>,
    /// The event's aggregate version; 0 before any.
    pub version: i64,
    /// The event's id; nil before any.
    pub event_id: Uuid,
}

impl<T> Default for Newest<T> {
    fn default() -> Self {
        Self { value: None, version: 0, event_id: Uuid::nil() }
    }
}

impl<T> Newest<T> {
    /// Takes the value that came with an event, if that is newer.
    pub fn offer(&mut self, event: &Event, value: T) {
        let (version, event_id) = (event.envelope.aggregate_version, event.envelope.event_id);
        if (version, event_id) > (self.version, self.event_id) {
            *self = Self { value: Some(value), version, event_id };
        }
    }
}
