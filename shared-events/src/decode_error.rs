//! Why bytes are not a valid event.

use chrono::{DateTime, SecondsFormat, Utc};
use std::borrow::Cow;

/// The constraint that a property violates.
pub(crate) type Problem = Cow<'static, str>;

/// Why bytes are not a valid event.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The body is not a JSON object.
    #[error("{0}")]
    Body(String),
    /// Neither the body nor the message has an id.
    #[error("eventId: is required, as the message has no message_id")]
    NoEventId,
    /// Neither the body nor the message has a timestamp.
    #[error("timestamp: is required, as the message has none")]
    NoTimestamp,
    /// A time is in the future: the property and its value.
    #[error("{0}: {time} is more than 5 minutes ahead", time = .1.to_rfc3339_opts(SecondsFormat::AutoSi, true))]
    InTheFuture(&'static str, DateTime<Utc>),
    /// This version of the service does not support the event type.
    #[error("unknown event type {0:?}")]
    UnknownType(String),
    /// This version of the service does not support the schema version.
    #[error("unknown version {1} of {0}")]
    UnknownVersion(String, u32),
    /// A property is missing or invalid.
    #[error("{path}: {problem}")]
    Property {
        /// Path of the property, as in `items[3].price`.
        path: String,
        /// Its constraint.
        problem: Problem,
    },
}

impl DecodeError {
    pub(crate) fn property(path: impl Into<String>, problem: impl Into<Problem>) -> Self {
        Self::Property { path: path.into(), problem: problem.into() }
    }
}
