//! Why an event is a dead letter: what is wrong, and what an operator can do.

use chrono::{DateTime, Utc};
use shared_events::DecodeError;
use shared_events::limits::MAX_EVENT_BYTES;

const SEND_AGAIN: &str = "Have its sender correct it and send it again; discard this one";

/// Bytes that are no event.
pub fn unreadable(error: &DecodeError) -> String {
    let advice = match error {
        DecodeError::UnknownType(_) | DecodeError::UnknownVersion(..) => {
            "Its sender is newer than this consumer service: deploy one that knows it, then \
             redrive. If nobody should send such events, discard it"
        }
        DecodeError::InTheFuture(_) => {
            "Set the sender's clock right. Redrive when that time has come, or discard it"
        }
        DecodeError::NoEventId => {
            "Without an id nobody can tell it from a repetition. Have its sender give one and \
             send it again; discard this one"
        }
        DecodeError::Json(_) | DecodeError::NoTimestamp | DecodeError::Member(_) => SEND_AGAIN,
    };
    let what = match error {
        DecodeError::Json(error) if error.is_syntax() || error.is_eof() => "not JSON: ",
        DecodeError::Json(_) => "not the shape of its event type: ",
        _ => "",
    };
    format!("{what}{error}. {advice}.")
}

/// More bytes than an event may have.
pub fn too_large(bytes: usize) -> String {
    format!(
        "{bytes} bytes are more than the {MAX_EVENT_BYTES} that an event may have. {SEND_AGAIN}."
    )
}

/// What is wrong with a watermark.
#[derive(Clone, Copy, Debug)]
pub enum Watermarks {
    /// It came by the queue of another topic.
    OfAnotherTopic,
    /// It counts below zero, or was taken in the future.
    OutOfRange,
    /// It is none.
    Unreadable,
}

/// A message that says that it is a watermark of our publisher.
pub fn wrong_watermark(what: Watermarks) -> String {
    let what = match what {
        Watermarks::OfAnotherTopic => "a watermark of another topic",
        Watermarks::OutOfRange => "a watermark out of range",
        Watermarks::Unreadable => "a watermark that cannot be read",
    };
    format!(
        "{what}. Look whether the clocks of both databases' servers are right, and whether \
         somebody else publishes as `command-service`. Discard it: a new one comes every second."
    )
}

/// An event that the database refuses as data.
pub fn refused_by_database(error: &sqlx::Error) -> String {
    let what = error.as_database_error().map_or_else(|| error.to_string(), ToString::to_string);
    format!("the database refuses it: {what}. Remove the cause, then redrive; or discard it.")
}

/// An event from before the time since when all are remembered.
pub fn older_than_memory(since: DateTime<Utc>) -> String {
    format!(
        "older than dedupe memory: processed events are remembered since {}, so nobody knows \
         whether it was applied before. Look at what it tells of in the views. If it is missing \
         there, redrive it anyway; else discard it.",
        since.format("%Y-%m-%dT%H:%M:%SZ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_events::{Attributes, Event};

    #[test]
    fn every_reason_says_what_to_do() {
        let golden = include_str!("../../../shared-events/golden/OrderCreated.v1.json");
        let reason = |body: &str| {
            let now = "2026-01-01T12:00:00Z".parse().unwrap();
            unreadable(&Event::decode(body.as_bytes(), Attributes::default(), now).unwrap_err())
        };
        let changed = |from: &str, to: &str| reason(&golden.replace(from, to));
        for (reason, beginning, end) in [
            (reason("nonsense"), "not JSON: ", "discard this one."),
            (reason("{\"eventType\":"), "not JSON: ", "discard this one."),
            (changed("\"quantity\": 2", "\"quantity\": \"2\""), "not the shape", "this one."),
            (changed("\"OrderCreated\"", "\"Eaten\""), "unknown event type", "discard it."),
            (changed("2026-01-01", "2226-01-01"), "the time 2226", "or discard it."),
        ] {
            assert!(reason.starts_with(beginning) && reason.ends_with(end), "{reason}");
        }
    }
}
