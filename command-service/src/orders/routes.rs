//! `/api/orders`.

use super::place::{INVALID, PlaceOrder};
use super::transaction::Placed;
use crate::router::{self, Commands};
use crate::trace::Trace;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use service_runtime::json_body::JsonBody;
use service_runtime::problem::Problem;

/// An order as answered: its id also as `orderId`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    order_id: i64,
    #[serde(flatten)]
    order: Placed,
}

/// `POST /api/orders`
pub async fn place(
    State(commands): State<Commands>,
    Trace(trace): Trace,
    body: JsonBody,
) -> Result<(StatusCode, HeaderMap, Json<Answer>), Problem> {
    let order = PlaceOrder::read(&body.members(INVALID)?)?;
    let order = commands.lane.place(order, trace).await?;
    let headers = router::created(order.event_id, format!("/api/orders/{}", order.id));
    Ok((StatusCode::CREATED, headers, Json(Answer { order_id: order.id, order })))
}
