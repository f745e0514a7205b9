//! `/api/orders`.

use super::answers::{self, Body};
use super::document::{NotChanged, NotPlaced, TAG};
use super::place::{INVALID, PlaceOrder};
use super::status::{self, StatusChange};
use super::status_change;
use crate::answer::Answer;
use crate::command_kind::CommandKind;
use crate::metrics::{ORDERS_REFUSED, OrderRefusal};
use crate::request::Request;
use crate::router::Commands;
use axum::extract::State;
use service_runtime::openapi::Id;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;

/// Place an order
///
/// It is taken whole or not at all. Stock never goes below zero.
#[utoipa::path(
    post,
    path = "/api/orders",
    operation_id = "placeOrder",
    tag = TAG,
    request_body = PlaceOrder,
    responses((status = 201, description = "The order.", body = Body), NotPlaced)
)]
pub async fn place(State(commands): State<Commands>, request: Request) -> Result<Answer, Problem> {
    request
        .carry_out(
            CommandKind::PlaceOrder,
            commands,
            async move |commands: Commands, request: Request| {
                let order = request.members(INVALID).and_then(|members| PlaceOrder::read(&members));
                let order =
                    order.inspect_err(|_| ORDERS_REFUSED.add_to(OrderRefusal::Invalid, 1))?;
                let placed = commands.order_batcher.place(order, request.origin()).await?;
                answers::placed(&placed)
            },
        )
        .await
}

/// Change an order's status
///
/// The status that it has already: 200, and nothing happens. A cancellation puts back
/// into the stock what the order took.
#[utoipa::path(
    put,
    path = "/api/orders/{id}/status",
    operation_id = "changeOrderStatus",
    tag = TAG,
    params(("id" = Id, Path, description = "The order.", example = 1)),
    request_body = StatusChange,
    responses((status = 200, description = "The order.", body = Body), NotChanged)
)]
pub async fn change_status(
    State(commands): State<Commands>,
    id: Segment,
    request: Request,
) -> Result<Answer, Problem> {
    let id = id.id("Invalid order id")?;
    request
        .carry_out(
            CommandKind::ChangeOrderStatus,
            commands,
            async move |commands: Commands, request: Request| {
                let wanted = status::read(&request.members(status::INVALID)?)?;
                let Commands { pool, cancellations, .. } = commands.clone();
                let origin = request.origin();
                let changing = async move {
                    status_change::change_status(pool, id, wanted, origin, &cancellations).await
                };
                commands.to_the_end(changing).await
            },
        )
        .await
}
