//! Responses with an order.

use super::order::{Order, Placed};
use crate::response::CommandResponse;
use serde::Serialize;
use service_runtime::openapi::Id;
use service_runtime::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

/// An order. `orderId` repeats `id`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderResponse<'a> {
    /// The id of the order.
    #[schema(value_type = Id)]
    order_id: i64,
    #[serde(flatten)]
    order: &'a Order,
}

/// The response to a placed order.
///
/// # Errors
/// None in practice.
pub fn placed(placed: &Placed) -> Result<CommandResponse, Problem> {
    let Placed { order, event_id } = placed;
    let location = format!("/api/orders/{}", order.id);
    CommandResponse::created(*event_id, location, &OrderResponse { order_id: order.id, order })
}

/// The response to a status change; the event is that of the change, if there was one.
///
/// # Errors
/// None in practice.
pub fn in_status(order: &Order, event_id: Option<Uuid>) -> Result<CommandResponse, Problem> {
    CommandResponse::changed(event_id, &OrderResponse { order_id: order.id, order })
}
