//! What the document says of orders, beside handlers and types.

use super::place;
use super::status;
use axum::http::StatusCode;
use service_runtime::problem::Problem;
use service_runtime::refusals;
use shared_events::OrderStatus;

/// Groups of operations.
pub const TAG: &str = "Orders";

refusals! {
    /// Why no order is placed.
    pub NotPlaced:
        Problem::bad_request(place::INVALID).detail(
            "The body is no JSON object, a member is wrong (see `errors`), or the total is above \
             999999999999.9999.",
        ),
        Problem::bad_request("Product not found").detail("A line names a product that is not there."),
        Problem::bad_request("Insufficient stock")
            .detail("Of a product there is less than all lines together ask for."),
        Problem::new(StatusCode::CONFLICT, "Price differs from the catalogue").detail(
            "A line's price is not the catalogue's, and the service takes no other \
             (`ORDER_PRICE_POLICY=catalogue`).",
        ),
}

refusals! {
    /// Why an order does not come to a status.
    pub NotChanged:
        Problem::bad_request(status::INVALID)
            .detail("The body is no JSON object, or its `status` is none; see `errors`."),
        Problem::bad_request("Invalid order id").detail("The id in the path is not valid."),
        Problem::not_found("Order not found").detail("There is no such order."),
        status::Forbidden { current: OrderStatus::Paid, wanted: OrderStatus::Delivered }.into(),
}

#[cfg(test)]
mod tests {
    use super::super::place::{Line, PlaceOrder};
    use super::super::status::StatusChange;
    use super::*;
    use crate::openapi::checks::{body_is_as_documented, refused};
    use serde_json::json;
    use utoipa::PartialSchema;

    #[test]
    fn bodies_are_as_documented() {
        body_is_as_documented::<PlaceOrder, _>(PlaceOrder::read);
        body_is_as_documented::<StatusChange, _>(status::read);
    }

    #[test]
    fn lines_are_as_documented() {
        let line = serde_json::to_value(Line::schema()).unwrap();
        let members = line["properties"].as_object().unwrap();
        let wrong = json!({"wrong": true});
        let wrong: serde_json::Map<_, _> =
            members.keys().map(|name| (name.clone(), wrong.clone())).collect();
        let order = json!({"customerId": 1, "items": [wrong, {}]});
        let fields = |item: usize, names: &mut dyn Iterator<Item = &str>| {
            names.map(|name| format!("items[{item}].{name}")).collect::<Vec<_>>()
        };
        let all = fields(0, &mut members.keys().map(String::as_str));
        let required = line["required"].as_array().unwrap();
        let required = fields(1, &mut required.iter().filter_map(|name| name.as_str()));
        let expected = all.into_iter().chain(required).collect();
        assert_eq!(refused(PlaceOrder::read, &order, ""), expected);
    }
}
