//! What is answered about orders.

use super::order::Order;
use super::transaction::Placed;
use crate::answer::Answer;
use serde::Serialize;
use service_runtime::openapi::Id;
use service_runtime::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

/// An order as answered: its id also as `orderId`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OrderAnswer)]
pub struct Body<'a> {
    /// Its id.
    #[schema(value_type = Id)]
    order_id: i64,
    #[serde(flatten)]
    order: &'a Order,
}

/// An order was placed.
///
/// # Errors
/// None in practice.
pub fn placed(placed: &Placed) -> Result<Answer, Problem> {
    let Placed { order, event_id } = placed;
    let location = format!("/api/orders/{}", order.id);
    Answer::created(*event_id, location, &Body { order_id: order.id, order })
}

/// An order has the status that was asked for; an event tells of it if it had
/// another one.
///
/// # Errors
/// None in practice.
pub fn in_status(order: &Order, event_id: Option<Uuid>) -> Result<Answer, Problem> {
    Answer::changed(event_id, &Body { order_id: order.id, order })
}
