//! `/api/products`.

use super::commands::{self, ChangeOf};
use super::rules::{INVALID, NewProduct, Product, ProductChange};
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

/// A product as answered: its id also as `productId`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    product_id: i64,
    #[serde(flatten)]
    product: Product,
}

impl From<Product> for Answer {
    fn from(product: Product) -> Self {
        Self { product_id: product.id, product }
    }
}

/// `POST /api/products`
pub async fn create(
    State(commands): State<Commands>,
    Trace(trace): Trace,
    body: JsonBody,
) -> Result<(StatusCode, HeaderMap, Json<Answer>), Problem> {
    let new = NewProduct::read(&body.members(INVALID)?)?;
    let (product, event) = to_the_end(commands::create(commands.pool, new, trace)).await?;
    commands.committed.notify_one();
    let headers = router::created(event, format!("/api/products/{}", product.id));
    Ok((StatusCode::CREATED, headers, Json(product.into())))
}

/// `PUT /api/products/{id}`
pub async fn update(
    State(commands): State<Commands>,
    id: Segment,
    trace: Trace,
    body: JsonBody,
) -> Result<(HeaderMap, Json<Answer>), Problem> {
    let id = id.id(INVALID)?;
    let change = ProductChange::read(&body.members(INVALID)?)?;
    answer_change(commands, id, change, ChangeOf::Details, trace).await
}

/// `PUT /api/products/{id}/price`
pub async fn change_price(
    State(commands): State<Commands>,
    id: Segment,
    trace: Trace,
    body: JsonBody,
) -> Result<(HeaderMap, Json<Answer>), Problem> {
    let id = id.id(INVALID)?;
    let change = ProductChange::read_price(&body.members(INVALID)?)?;
    answer_change(commands, id, change, ChangeOf::Price, trace).await
}

async fn answer_change(
    commands: Commands,
    id: i64,
    change: ProductChange,
    of: ChangeOf,
    Trace(trace): Trace,
) -> Result<(HeaderMap, Json<Answer>), Problem> {
    let changed = to_the_end(commands::change(commands.pool, id, change, of, trace)).await?;
    let (product, event) = changed.ok_or_else(|| {
        Problem::not_found("Product not found").detail(format!("There is no product {id}."))
    })?;
    commands.committed.notify_one();
    Ok((router::event_id(event), Json(product.into())))
}
