//! Defaults and refusals of external events.

use super::*;
use crate::limits::MAX_ORDER_LINES;
use crate::{Money, OrderStatus};

/// The minimal order.
const ORDER: &str = r#"{"eventId":"till-1","eventType":"OrderCreated",
    "timestamp":"2026-01-01T10:30:00","orderId":7,"customerId":42,
    "items":[{"productId":1,"quantity":2,"price":19.99}]}"#;
const PRODUCT: &str = r#"{"eventId":"p-1","eventType":"ProductCreated",
    "timestamp":"2026-01-01T10:30:00","productId":1,"name":"Tea","category":"Food",
    "price":"4.50","stock":10}"#;

fn decode(body: &str, attributes: Attributes<'_>) -> Result<External, DecodeError> {
    External::decode(body.as_bytes(), attributes, "2026-01-01T12:00:00Z".parse().unwrap())
}

fn read(body: &str) -> Event {
    decode(body, Attributes::default()).unwrap().event
}

fn changed(body: &str, from: &str, to: &str) -> String {
    assert!(body.contains(from), "{from} is not there");
    body.replacen(from, to, 1)
}

#[test]
fn a_missing_property_of_an_order_gets_its_only_possible_value() {
    let event = read(ORDER);
    assert_eq!(event.envelope.timestamp.to_rfc3339(), "2026-01-01T10:30:00+00:00");
    assert_eq!((event.envelope.version, event.envelope.aggregate_version), (1, 1));
    let Payload::OrderCreated(order) = &event.payload else { panic!("{event:?}") };
    assert_eq!((order.total.to_string().as_str(), order.status), ("39.98", OrderStatus::Created));
    assert!(order.items[0].lacks_product());
    for (from, to) in [
        ("19.99", "\"19.990\""),
        ("19.99", "19.990000000000002"),
        ("\"quantity\":2", "\"quantity\":2.0,\"productName\":null"),
        ("\"orderId\"", "\"total\":39.980000000000004,\"status\":null,\"orderId\""),
    ] {
        assert_eq!(read(&changed(ORDER, from, to)), event, "{to}");
    }
}

#[test]
fn the_stock_delta_of_a_new_product_is_its_stock_by_default() {
    let delta = |body: &str| read(body).payload.product().unwrap().stock_delta;
    assert_eq!(delta(PRODUCT), 10);
    assert_eq!(delta(&changed(PRODUCT, ",\"stock\":10", "")), 0);
    assert_eq!(delta(&changed(PRODUCT, "10}", "10,\"stockDelta\":4}")), 4);
    let price = Money::parse("4.5").unwrap();
    assert_eq!(read(PRODUCT).payload.product().unwrap().price, price);
    let priced = changed(PRODUCT, "ProductCreated", "PriceChanged");
    let priced = changed(&priced, "\"price\"", "\"oldPrice\":4,\"newPrice\"");
    let Payload::PriceChanged(change) = read(&priced).payload else { panic!() };
    assert_eq!((change.product.price, change.product.stock_delta), (price, 0));
}

#[test]
fn an_ambiguous_value_is_refused_with_the_name_of_its_property() {
    let update = changed(PRODUCT, "ProductCreated", "ProductUpdated");
    for (body, from, to, expected) in [
        (ORDER, "19.99", "\"19,99\"", "items[0].price: must be a number or a decimal string"),
        (ORDER, "19.99", "19.999999", "items[0].price: must have at most 4 decimals"),
        (ORDER, "19.99", "null", "items[0].price: is required"),
        (ORDER, "19.99}", "19.99,\"price\":20}", "items[0].price: appears more than once"),
        (ORDER, "19.99}", "19.99,\"category\":\"\"}", "items[0].category: must be 1 to 100"),
        (ORDER, "\"quantity\":2", "\"quantity\":\"2\"", "items[0].quantity: must be a whole"),
        (ORDER, "\"customerId\":42,", "", "customerId: is required"),
        (ORDER, "42", "\"42\"", "customerId: must be a whole number from 1"),
        (ORDER, "\"items\":[", "\"items\":[7,", "items[0]: must be an object"),
        (ORDER, "\"orderId\"", "\"total\":40,\"orderId\"", "total: must be the sum"),
        (ORDER, "\"orderId\"", "\"status\":\"paid\",\"orderId\"", "status: must be one of"),
        (ORDER, "T10:30:00", "", "timestamp: must be an ISO 8601"),
        (ORDER, "\"2026-01-01T10:30:00\"", "1767263400", "timestamp: must be a string"),
        (ORDER, "\"eventType\":\"OrderCreated\",", "", "eventType: is required"),
        (&update, "\"stock\":10", "\"stock\":null", "stockDelta: is required"),
        (&update, ",\"stock\":10", "", "stock: is required: null if it is not"),
        (PRODUCT, "\"Tea\"", "7", "name: must be a string"),
    ] {
        let error = decode(&changed(body, from, to), Attributes::default()).unwrap_err();
        assert!(error.to_string().starts_with(expected), "{to}: {error}");
    }
    let empty = changed(ORDER, "{\"productId\":1,\"quantity\":2,\"price\":19.99}", "");
    let error = decode(&empty, Attributes::default()).unwrap_err().to_string();
    assert_eq!(error, format!("items: must have 1 to {MAX_ORDER_LINES} lines"));
}

#[test]
fn properties_missing_in_the_body_are_read_from_the_message() {
    let body = changed(ORDER, "\"timestamp\":\"2026-01-01T10:30:00\",", "");
    let body = changed(&body, "\"eventId\":\"till-1\",\"eventType\":\"OrderCreated\",", "");
    let mut attributes = Attributes {
        message_id: Some("0190a000-0000-7000-8000-00000000002a"),
        timestamp: "2025-05-05T05:05:05Z".parse().ok(),
        kind: Some("OrderCreated"),
        ..Attributes::default()
    };
    let read = decode(&body, attributes).unwrap();
    assert_eq!(Some(read.event.envelope.event_id.to_string().as_str()), attributes.message_id);
    assert_eq!(Some(read.event.envelope.timestamp), attributes.timestamp);
    // Sent again later, it is the same event.
    attributes.timestamp = "2025-05-05T06:06:06Z".parse().ok();
    assert_eq!(decode(&body, attributes).unwrap().content(), read.content());
    attributes.timestamp = None;
    assert!(matches!(decode(&body, attributes), Err(DecodeError::NoTimestamp)));
    attributes.message_id = Some("");
    assert!(matches!(decode(&body, attributes), Err(DecodeError::NoEventId)));
}

#[test]
fn a_text_as_event_id_is_unique_by_queue_and_application() {
    let id = |queue, app_id| {
        let attributes = Attributes { queue, app_id, ..Attributes::default() };
        decode(ORDER, attributes).unwrap().event.envelope.event_id
    };
    let first = id("order-events", Some("till"));
    assert_eq!(first, id("order-events", Some("till")));
    assert_eq!(first.get_version_num(), 5);
    assert_ne!(first, id("order-events", Some("web")));
    assert_ne!(first, id("order-events", None));
    assert_ne!(first, id("product-events", Some("till")));
}

#[test]
fn content_does_not_depend_on_json_formatting() {
    let content = |body: &str| decode(body, Attributes::default()).unwrap().content();
    let other = changed(ORDER, "\"orderId\":7,", "");
    let other = changed(&other, "\"items\"", "\"note\":1, \"orderId\": 7,\"items\"");
    assert_eq!(content(&other), content(ORDER));
    assert_ne!(content(&changed(ORDER, "19.99", "19.98")), content(ORDER));
}

#[test]
fn events_without_version_are_ordered_by_status() {
    let update = include_str!("../../golden/OrderStatusUpdated.v1.json");
    let update = changed(update, "\"aggregateVersion\": 3,", "");
    let version =
        |status| read(&changed(&update, "\"CANCELLED\"", status)).envelope.aggregate_version;
    let (shipped, refunded) = (version("\"SHIPPED\""), version("\"REFUNDED\""));
    assert!(read(ORDER).envelope.aggregate_version < shipped && shipped < refunded);
}

#[test]
fn events_more_than_five_minutes_ahead_are_refused() {
    let at = |time| decode(&changed(ORDER, "2026-01-01T10:30:00", time), Attributes::default());
    assert!(at("2026-01-01T12:05:00").is_ok());
    let error = at("2026-01-01T12:05:01").unwrap_err().to_string();
    assert_eq!(error, "timestamp: 2026-01-01T12:05:01Z is more than 5 minutes ahead");
    let update = include_str!("../../golden/OrderStatusUpdated.v1.json");
    let ordered = update.replace("2026-01-01T10:30:00.123456Z", "2200-01-01T00:00:00Z");
    let error = decode(&ordered, Attributes::default()).unwrap_err();
    assert!(matches!(error, DecodeError::InTheFuture("orderedAt", _)), "{error}");
}
