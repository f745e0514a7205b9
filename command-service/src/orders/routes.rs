//! `/api/orders`.

use super::order::Order;
use super::place::{INVALID, PlaceOrder};
use super::refund::{self, RefundRequest};
use super::refund_order::{Refund, refund as refund_order};
use super::rules::Refusal;
use super::status::{self, Current, Forbidden, StatusChange};
use super::status_change::{change_status as change, not_found};
use crate::command_kind::CommandKind;
use crate::request::Request;
use crate::response::CommandResult;
use crate::state::AppState;
use service_runtime::openapi::{Id, invalid_body, invalid_id};
use service_runtime::path::Segment;
use service_runtime::refusals;
use shared_events::{Money, OrderStatus};

/// The tag of these operations.
const TAG: &str = "Orders";

/// The text of the response to an invalid id.
const INVALID_ID: &str = "Invalid order id";

refusals! {
    NotPlaced:
        invalid_body(INVALID),
        Refusal::ProductNotFound { product_id: 1 }.into(),
        Refusal::InsufficientStock { product_id: 1, wanted: 99, left: 98 }.into(),
        Refusal::PriceDiffers { product_id: 1, given: money("4.8"), catalogue: money("4.5") }.into();
    NotChanged:
        invalid_body(status::INVALID),
        invalid_id(INVALID_ID),
        not_found(1),
        Forbidden {
            current: Current { status: OrderStatus::Paid, reason: None, has_refunds: false },
            wanted: OrderStatus::Delivered,
        }
        .into();
    NotRefunded:
        invalid_body(refund::INVALID),
        invalid_id(INVALID_ID),
        not_found(1),
        refund::Refusal::NotRefundable { status: OrderStatus::Created }.into(),
        refund::Refusal::TooManyUnits { product_id: 1, wanted: 3, left: 2 }.into();
}

fn money(example: &str) -> Money {
    Money::parse(example).unwrap_or(Money::ZERO)
}

/// Place an order
///
/// All lines are accepted, or the order is refused. Stock never becomes negative. The
/// maximum total is 999999999999.9999.
#[utoipa::path(
    post,
    path = "/api/orders",
    operation_id = "placeOrder",
    tag = TAG,
    request_body = PlaceOrder,
    responses((status = 201, description = "The order.", body = Order), NotPlaced)
)]
pub async fn place(request: Request) -> CommandResult {
    request
        .execute(CommandKind::PlaceOrder, INVALID, async |state: AppState, order, origin| {
            state.order_batcher.place(order, origin).await?.response()
        })
        .await
}

/// Change the status of an order
///
/// If the order already has the status, nothing changes and no event is published. To
/// cancel an order returns its units to stock.
#[utoipa::path(
    put,
    path = "/api/orders/{id}/status",
    operation_id = "changeOrderStatus",
    tag = TAG,
    params(("id" = Id, Path, description = "The order.", example = 1)),
    request_body = StatusChange,
    responses((status = 200, description = "The order.", body = Order), NotChanged)
)]
pub async fn change_status(id: Segment, request: Request) -> CommandResult {
    let id = id.id(INVALID_ID)?;
    request
        .transact(
            CommandKind::ChangeOrderStatus,
            status::INVALID,
            move |pool, status_change, origin| change(pool, id, status_change, origin),
        )
        .await
}

/// Refund an order
///
/// Refunds units of some products, or an amount without units, up to what is left of the order. The
/// refund of the last unit and the last amount makes the order REFUNDED.
#[utoipa::path(
    post,
    path = "/api/orders/{id}/refunds",
    operation_id = "refundOrder",
    tag = TAG,
    params(("id" = Id, Path, description = "The order.", example = 1)),
    request_body = RefundRequest,
    responses((status = 201, description = "The refund.", body = Refund), NotRefunded)
)]
pub async fn refund(id: Segment, request: Request) -> CommandResult {
    let id = id.id(INVALID_ID)?;
    request
        .transact(CommandKind::RefundOrder, refund::INVALID, move |pool, body, origin| {
            refund_order(pool, id, body, origin)
        })
        .await
}
