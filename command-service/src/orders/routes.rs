//! `/api/orders`.

use super::place::{INVALID, PlaceOrder};
use super::{answers, status, status_change};
use crate::answer::Answer;
use crate::metrics::{INVALID_ORDER, ORDERS_REFUSED};
use crate::request::Request;
use crate::router::Commands;
use axum::extract::State;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;

/// `POST /api/orders`
pub async fn place(State(commands): State<Commands>, request: Request) -> Result<Answer, Problem> {
    request
        .carry_out(commands, async move |commands: Commands, request: Request| {
            let order = request.members(INVALID).and_then(|members| PlaceOrder::read(&members));
            let order = order.inspect_err(|_| ORDERS_REFUSED.add_to(INVALID_ORDER, 1))?;
            let placed = commands.lane.place(order, request.origin()).await?;
            answers::placed(&placed)
        })
        .await
}

/// `PUT /api/orders/{id}/status`
pub async fn change_status(
    State(commands): State<Commands>,
    id: Segment,
    request: Request,
) -> Result<Answer, Problem> {
    let id = id.id("Invalid order id")?;
    request
        .carry_out(commands, async move |commands: Commands, request: Request| {
            let wanted = status::read(&request.members(status::INVALID)?)?;
            let Commands { pool, cancellations, .. } = commands.clone();
            let origin = request.origin();
            let changing = async move {
                status_change::change_status(pool, id, wanted, origin, &cancellations).await
            };
            commands.to_the_end(changing).await
        })
        .await
}
