//! Events of external publishers.

/// A complete `OrderCreated` event with one line: two units of product 77 at 1.25 each.
/// The event id ends with the order id, which has at most 12 digits.
pub fn external_order(order: usize) -> String {
    format!(
        r#"{{"eventId":"0190a000-0000-7000-8000-{order:012}","eventType":"OrderCreated",
            "version":1,"aggregateVersion":1,"timestamp":"2026-01-01T10:30:00Z",
            "orderId":{order},"customerId":9,"status":"CREATED","items":[{{"productId":77,
            "productName":"Mate","category":"Mate","quantity":2,"price":1.25}}],"total":2.5}}"#
    )
}
