//! `/api/orders`.

use super::order::Order;
use super::place::{INVALID, PlaceOrder};
use super::{status, status_change};
use crate::router::{self, Commands};
use crate::trace::Trace;
use crate::transactions::to_the_end;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use service_runtime::json_body::JsonBody;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;

/// An order as answered: its id also as `orderId`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    order_id: i64,
    #[serde(flatten)]
    order: Order,
}

impl From<Order> for Answer {
    fn from(order: Order) -> Self {
        Self { order_id: order.id, order }
    }
}

/// `POST /api/orders`
pub async fn place(
    State(commands): State<Commands>,
    Trace(trace): Trace,
    body: JsonBody,
) -> Result<(StatusCode, HeaderMap, Json<Answer>), Problem> {
    let order = PlaceOrder::read(&body.members(INVALID)?)?;
    let placed = commands.lane.place(order, trace).await?;
    let headers = router::created(placed.event_id, format!("/api/orders/{}", placed.order.id));
    Ok((StatusCode::CREATED, headers, Json(placed.order.into())))
}

/// `PUT /api/orders/{id}/status`
pub async fn change_status(
    State(commands): State<Commands>,
    id: Segment,
    Trace(trace): Trace,
    body: JsonBody,
) -> Result<(HeaderMap, Json<Answer>), Problem> {
    let id = id.id("Invalid order id")?;
    let wanted = status::read(&body.members(status::INVALID)?)?;
    let Commands { pool, cancellations, committed, .. } = commands;
    let changed = to_the_end(async move {
        status_change::change_status(pool, id, wanted, trace, &cancellations).await
    })
    .await?;
    let (order, event) = changed.ok_or_else(|| {
        Problem::not_found("Order not found").detail(format!("There is no order {id}."))
    })?;
    committed.notify_one();
    let headers = event.map(router::event_id).unwrap_or_default();
    Ok((headers, Json(order.into())))
}
