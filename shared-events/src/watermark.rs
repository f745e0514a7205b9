//! Watermarks: how far the outbox had come.

use crate::Topic;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// "At that time, so many events of this topic had been committed."
///
/// It travels the same queue as the events that it counts, so a reader that
/// has seen it and as many events knows that it shows everything up to then.
/// It carries a count because with several consumers it can overtake events.
/// It is no event: it has no id, is no outbox row, and expires in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Watermark {
    /// The topic whose events are counted.
    pub topic: Topic,
    /// When the count was taken, by the write database's clock.
    pub taken_at: DateTime<Utc>,
    /// Events of the topic committed up to then, since the outbox began.
    pub committed: i64,
}

impl Watermark {
    /// The AMQP message type of watermarks.
    pub const TYPE: &'static str = "Watermark";
}
