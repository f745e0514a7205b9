//! Our own events.

use super::*;
use crate::OrderHeader;

const ORDER: &str = include_str!("../../golden/OrderCreated.v1.json");
const UPDATE: &str = include_str!("../../golden/OrderStatusUpdated.v1.json");
const PRODUCT: &str = include_str!("../../golden/ProductCreated.v1.json");
const ACCOUNT: &str = include_str!("../../golden/AccountCreated.v1.json");

fn decode(body: &str) -> Result<Event, DecodeError> {
    Event::decode(body.as_bytes(), None)
}

/// Every event type has golden files, one for each version of its schema.
#[test]
fn golden_files_are_read_and_written_unchanged() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/golden");
    for event_type in EventType::ALL {
        let path = format!("{directory}/{}.v1.json", event_type.name());
        let golden = std::fs::read_to_string(&path).expect(&path);
        let event = decode(&golden).unwrap();
        assert_eq!(event.payload.event_type(), *event_type);
        let compact: Vec<&str> = golden.lines().map(str::trim).collect();
        assert_eq!(event.to_json().unwrap(), compact.concat().replace("\": ", "\":"));
        let now = "2026-01-01T12:00:00Z".parse().unwrap();
        let external = External::decode(golden.as_bytes(), Attributes::default(), now);
        assert_eq!(external.unwrap().event, event);
    }
}

/// An older command service writes events without a header property that was added later.
#[test]
fn only_the_first_header_properties_are_required() {
    let properties = Properties::of_body(br#"{"customerId":42}"#, None, true).unwrap();
    let header = OrderHeader::read(&properties).unwrap();
    assert_eq!(serde_json::to_string(&header).unwrap(), r#"{"customerId":42}"#);
}

#[test]
fn an_own_event_may_have_any_time() {
    let ahead = decode(&UPDATE.replace("\"2026", "\"2226")).unwrap();
    assert_eq!(ahead.envelope.timestamp.to_rfc3339(), "2226-01-01T11:05:00.123456+00:00");
}

#[test]
fn an_error_names_the_invalid_property() {
    for (golden, from, to, expected) in [
        (ORDER, "\"total\": 44.98", "\"total\": 44.99", "total: must be the sum"),
        (ORDER, "\"total\": 44.98", "\"sum\": 44.98", "total: is required"),
        (ORDER, "\"quantity\": 2", "\"quantity\": 0", "items[0].quantity: must be"),
        (ORDER, "\"quantity\": 2", "\"quantity\": 2.0", "items[0].quantity: must be a whole"),
        (ORDER, "\"stockTaken\": 2", "\"stockTaken\": 3", "items[0].stockTaken: must be"),
        (ORDER, "\"price\": 5", "\"price\": -5", "items[1].price: must be from 0"),
        (ORDER, "\"price\": 19.99", "\"price\": \"19.99\"", "items[0].price: must be a number"),
        (ORDER, "\"price\": 5", "\"price\": 5.00001", "items[1].price: must have at most 4"),
        (ORDER, "\"category\": \"Books\",", "", "items[0].category: is required"),
        (ORDER, "\"category\": \"Food\"", "\"category\": \" \"", "items[1].category: must be 1"),
        (ORDER, "\"Food\"", "\"Fo\\u0000od\"", "items[1].category: must be 1"),
        (ORDER, "\"orderId\": 7", "\"orderId\": 99999999999999999999", "orderId: must be"),
        (ORDER, "\"orderId\": 7", "\"orderId\": 7, \"orderId\": 8", "orderId: appears more"),
        (ORDER, "\"version\": 1", "\"version\": 2", "unknown version 2"),
        (ORDER, "\"aggregateVersion\": 1", "\"aggregateVersion\": 0", "aggregateVersion:"),
        (ORDER, "\"aggregateVersion\": 1,", "", "aggregateVersion: is required"),
        (ORDER, "\"status\": \"CREATED\"", "\"status\": \"PAID\"", "status: must be CREATED"),
        (ORDER, "\"OrderCreated\"", "\"OrderUnknown\"", "unknown event type"),
        (ORDER, "T10:30:00.123456Z", "T10:30:00", "timestamp: must be an ISO 8601"),
        (ORDER, "\"timestamp\": \"2026", "\"timestamp\": \"0000", "timestamp: must lie"),
        (UPDATE, "\"stockReturned\": 2", "\"stockReturned\": 3", "items[0].stockReturned:"),
        (UPDATE, "\"stockTaken\": 2", "\"stockTaken\": 1", "items[0].stockReturned:"),
        (UPDATE, "\"PAID\"", "\"REFUNDED\"", "newStatus: CANCELLED may not follow REFUNDED"),
        (UPDATE, "\"CANCELLED\"", "\"UNKNOWN\"", "newStatus: must be one of CREATED"),
        (UPDATE, "\"orderedAt\": \"2", "\"orderedAt\": \"-2", "orderedAt: must lie"),
        (ACCOUNT, "\"userId\": 42", "\"userId\": 0", "userId: must be a whole"),
        (ACCOUNT, "\"Springfield\"", "\"\"", "city: must be 1 to 200"),
        (PRODUCT, "\"stockDelta\": 100", "\"stockDelta\": null", "stockDelta: is required"),
        (PRODUCT, "{", "", "not JSON: "),
    ] {
        let body = golden.replacen(from, to, 1);
        assert_ne!(body, golden, "{from} is not in the golden file");
        let error = decode(&body).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{to}: {error}");
    }
}

#[test]
fn amounts_of_orders_keep_every_digit() {
    for (golden, quantity) in [(ORDER, "\"quantity\": 2"), (UPDATE, "\"quantity\": 2")] {
        let body = golden
            .replace(quantity, "\"quantity\": 1")
            .replace("\"stockTaken\": 2", "\"stockTaken\": 1")
            .replace("\"stockReturned\": 2", "\"stockReturned\": 1")
            .replace("19.99", "987654321098.7654")
            .replace("44.98", "987654321103.7654");
        let event = decode(&body).unwrap();
        let json = event.to_json().unwrap();
        assert!(json.contains("\"price\":987654321098.7654,"), "{json}");
        assert!(json.ends_with("\"total\":987654321103.7654}"), "{json}");
        assert_eq!(decode(&json).unwrap(), event);
    }
}

#[test]
fn a_leap_second_is_one_instant() {
    let at = |time| {
        decode(&ORDER.replace("2026-01-01T10:30:00.123456Z", time)).unwrap().envelope.timestamp
    };
    assert_eq!(at("2025-12-31T23:59:60Z"), at("2026-01-01T00:00:00Z"));
}

#[test]
fn an_invalid_event_still_has_an_id() {
    let id_of = |body: &[u8], message_id| {
        Event::id_of(body, Attributes { message_id, ..Attributes::default() })
    };
    assert!(id_of(br#"{"eventId":"0190a000-0000-7000-8000-00000000002a"}"#, None).is_some());
    let latin_1 = b"{\"name\":\"caf\xe9\",\"eventId\":\"0190a000-0000-7000-8000-00000000002a\"}";
    assert!(id_of(latin_1, None).is_some());
    assert_eq!(id_of(b"not json", None), None);
    assert!(id_of(b"not json", Some("m-1")).is_some());
}
