//! Reasons of dead letters: the error and what an operator can do.

use chrono::{DateTime, Utc};
use service_runtime::amqp::Defect;
use shared_events::limits::MAX_EVENT_BYTES;
use shared_events::{DecodeError, EventType};
use uuid::Uuid;

const SEND_AGAIN: &str = "Have its sender correct it and send it again; discard this one";

/// A body that is not a valid event.
pub fn unreadable(error: &DecodeError) -> String {
    let advice = match error {
        DecodeError::UnknownType(_) | DecodeError::UnknownVersion(..) => {
            "Its sender is newer than this consumer service: deploy a version that supports it, then \
             redrive. If no program should send such events, discard it"
        }
        DecodeError::InTheFuture(..) => {
            "Correct the clock of its sender. Redrive it after that time, or discard it"
        }
        DecodeError::NoEventId => {
            "Without an id it cannot be distinguished from a repetition. Have its sender add an id \
             and send it again; discard this one"
        }
        DecodeError::Body(_) | DecodeError::NoTimestamp | DecodeError::Property { .. } => {
            SEND_AGAIN
        }
    };
    format!("{error}. {advice}.")
}

/// A body above the size limit.
pub fn too_large(bytes: usize) -> String {
    format!("{bytes} bytes exceed the limit of {MAX_EVENT_BYTES} for an event. {SEND_AGAIN}.")
}

/// An external event whose id was used for different content.
pub fn other_content(id: Uuid) -> String {
    format!(
        "Event id {id} was used before for different content. Have its sender use a new id for \
         each event and send this one again; discard this one."
    )
}

/// A defective AMQP message; `kept` bytes of its body are stored.
pub fn defective(defect: &Defect, kept: usize) -> String {
    let (what, bytes, advice) = match defect {
        Defect::Properties { reason, body_bytes, .. } => {
            let advice = "; or redrive it, if its body is sufficient";
            (format!("its AMQP properties cannot be read: {reason}."), *body_bytes, advice)
        }
        Defect::Body { bytes } => {
            let what = format!("{bytes} bytes exceed the limit of {MAX_EVENT_BYTES} for an event.");
            (what, *bytes, "")
        }
    };
    if bytes == kept as u64 {
        format!("{what} {SEND_AGAIN}{advice}.")
    } else {
        format!("{what} The first {kept} of {bytes} bytes are stored. {SEND_AGAIN}.")
    }
}

/// An external event that creates an order, product or user of our own.
pub fn created_by_shop(kind: EventType, id: i64) -> String {
    format!(
        "{kind} {id}: the shop has one with this id, or created it with an older version. Have its \
         sender use ids that the shop does not use, and send it again; discard this one.",
        kind = kind.name(),
    )
}

/// An external event that creates an aggregate again.
pub fn created_by_event(kind: EventType, id: i64, other: Uuid) -> String {
    format!(
        "{kind} {id}: event {other} created it before. If both are the same under different \
         event ids, discard this one; else have its sender use another id and send it again.",
        kind = kind.name(),
    )
}

/// An order line without name and category, of a product that is not in the catalogue.
pub fn unknown_product(index: usize, product_id: i64) -> String {
    format!(
        "items[{index}].productId: product {product_id} is not known, so productName and \
         category cannot be added. Redrive it after the product is created; or have its sender \
         add both and send it again, and discard this one."
    )
}

/// An event whose data the database refuses.
pub fn refused_by_database(error: &sqlx::Error) -> String {
    let what = error.as_database_error().map_or_else(|| error.to_string(), ToString::to_string);
    format!("the database refuses it: {what}. Remove the cause, then redrive; or discard it.")
}

/// An event older than the deduplication records.
pub fn without_record(since: DateTime<Utc>) -> String {
    format!(
        "older than dedupe memory: deduplication records are kept since {}, so it is unknown \
         whether it was applied before. Check the views: if its change is missing there, redrive \
         it with --anyway; else discard it.",
        since.format("%Y-%m-%dT%H:%M:%SZ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_events::{Attributes, External};

    #[test]
    fn every_reason_contains_advice() {
        let golden = include_str!("../../shared-events/golden/OrderCreated.v1.json");
        let reason = |body: &str| {
            let now = "2026-01-01T12:00:00Z".parse().unwrap();
            let read = External::decode(body.as_bytes(), Attributes::default(), now);
            unreadable(&read.unwrap_err())
        };
        let changed = |from: &str, to: &str| reason(&golden.replace(from, to));
        for (reason, beginning, end) in [
            (reason("nonsense"), "not JSON: ", "discard this one."),
            (reason("{\"eventType\":"), "not JSON: ", "discard this one."),
            (changed("\"quantity\": 2", "\"quantity\": \"2\""), "items[0].quantity", "this one."),
            (changed("\"OrderCreated\"", "\"Eaten\""), "unknown event type", "discard it."),
            (changed("2026-01-01", "2226-01-01"), "timestamp: 2226", "or discard it."),
        ] {
            assert!(reason.starts_with(beginning) && reason.ends_with(end), "{reason}");
        }
    }
}
