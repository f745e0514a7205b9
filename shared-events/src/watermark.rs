//! Watermarks: counts of committed events.

use crate::Topic;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The number of events of a topic that had been committed at a time.
///
/// It is sent through the same queue as the events that it counts. A reader that has received it
/// and as many events shows everything up to its time. It has a count because with several
/// consumers it can overtake events. It is not an event: it has no id and no outbox row, and it
/// expires in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Watermark {
    /// The topic whose events are counted.
    pub topic: Topic,
    /// Time of the count, by the clock of the write database.
    pub taken_at: DateTime<Utc>,
    /// Number of events of the topic committed up to that time.
    pub committed: i64,
}

impl Watermark {
    /// The AMQP message type of watermarks.
    pub const TYPE: &'static str = "Watermark";
}
