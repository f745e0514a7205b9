//! The command to place an order.

use crate::formats::{Price, Quantity};
use service_runtime::body;
use service_runtime::json_body::List;
use service_runtime::openapi::Id;
use shared_events::OrderHeader;
use shared_events::limits::MAX_ORDER_LINES;

/// The text of the response to an invalid body.
pub const INVALID: &str = "Invalid order data";

body! {
    /// An order to place.
    #[schema(examples(json!({"customerId": 42, "items": [{"productId": 1, "quantity": 2}]})))]
    pub struct PlaceOrder {
        /// The customer: the id of a user, or any other id. An unknown customer is created.
        pub customer_id: Id,
        /// The order lines. Several lines may have the same product.
        pub lines named "items": Lines,
    }
}

body! {
    /// A line of an order to place.
    #[schema(as = NewOrderLine, examples(json!({"productId": 1, "quantity": 2})))]
    pub struct Line {
        /// The product.
        pub product_id: Id,
        /// Number of units.
        pub quantity: Quantity,
        /// Price per unit. If absent or null, the catalogue price. Another price is a
        /// negotiated one, which the service refuses with `ORDER_PRICE_POLICY=catalogue`.
        pub price: Option<Price>,
    }
}

type Lines = List<Line, MAX_ORDER_LINES>;

impl PlaceOrder {
    /// The properties of the order that do not change.
    pub fn header(&self) -> OrderHeader {
        OrderHeader { customer_id: self.customer_id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use service_runtime::json_body;
    use service_runtime::problem::Problem;
    use shared_events::Money;

    fn read(json: &str) -> Result<PlaceOrder, Problem> {
        json_body::parse(json.as_bytes(), INVALID)
    }

    #[test]
    fn the_price_of_a_line_is_optional() {
        let order = read(
            r#"{"customerId":1,"items":[{"productId":2,"quantity":3},
                {"productId":2,"quantity":1,"price":9.99},{"productId":4,"quantity":1,"price":null}]}"#,
        )
        .unwrap();
        let prices: Vec<Option<Money>> = order.lines.iter().map(|line| line.price).collect();
        assert_eq!(prices, [None, Money::parse("9.99").ok(), None]);
    }

    #[test]
    fn invalid_bodies_are_refused() {
        for bad in [
            r#"{}"#,
            r#"{"customerId":1}"#,
            r#"{"customerId":1,"items":[]}"#,
            r#"{"customerId":1,"items":null}"#,
            r#"{"customerId":1,"items":{"productId":1,"quantity":1}}"#,
            r#"{"customerId":1,"items":[7]}"#,
            r#"{"customerId":1,"items":[null]}"#,
            r#"{"items":[{"productId":1,"quantity":1}]}"#,
            r#"{"customerId":0,"items":[{"productId":1,"quantity":1}]}"#,
            r#"{"customerId":"1","items":[{"productId":1,"quantity":1}]}"#,
            r#"{"customerId":1.5,"items":[{"productId":1,"quantity":1}]}"#,
            r#"{"customerId":9223372036854775808,"items":[{"productId":1,"quantity":1}]}"#,
            r#"{"customerId":1,"items":[{"quantity":1}]}"#,
            r#"{"customerId":1,"items":[{"productId":-1,"quantity":1}]}"#,
            r#"{"customerId":1,"items":[{"productId":1}]}"#,
            r#"{"customerId":1,"items":[{"productId":1,"quantity":0}]}"#,
            r#"{"customerId":1,"items":[{"productId":1,"quantity":1.0}]}"#,
            r#"{"customerId":1,"items":[{"productId":1,"quantity":2147483648}]}"#,
            r#"{"customerId":1,"items":[{"productId":1,"quantity":1,"price":-1}]}"#,
            r#"{"customerId":1,"items":[{"productId":1,"quantity":1,"price":0.00001}]}"#,
            r#"{"customerId":1,"items":[{"productId":1,"quantity":1,"price":"1"}]}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
