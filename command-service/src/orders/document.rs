//! What the document says of orders, beside handlers and types.

use super::place;
use super::status;
use axum::http::StatusCode;
use service_runtime::documents::Id;
use service_runtime::problem::Problem;
use service_runtime::refusals;
use shared_events::OrderStatus;
use utoipa::IntoParams;

/// Groups of operations.
pub const TAG: &str = "Orders";

/// In the path.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it is a Segment when it is read")]
pub struct OrderId {
    /// The order.
    #[param(value_type = Id, example = 1)]
    id: i64,
}

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
