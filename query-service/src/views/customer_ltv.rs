//! `customer_ltv_view`: what a customer spent.

use super::{ByKey, money};
use crate::openapi;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use service_runtime::openapi::Id;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;
use service_runtime::refusals;
use shared_events::Money;
use sqlx::PgPool;
use sqlx::types::Decimal;
use std::collections::HashMap;
use utoipa::ToSchema;

/// What a customer spent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LifetimeValue {
    /// The customer.
    #[schema(value_type = Id)]
    customer_id: i64,
    /// What their orders came to.
    total_spent: Money,
    /// Their orders.
    #[schema(examples(1))]
    order_count: i64,
    /// When the last order was placed, cancelled or not; null if none was.
    #[schema(required = true, examples("2026-11-21T11:44:31.230906Z"))]
    last_order_date: Option<DateTime<Utc>>,
}

/// What a customer spent, as its view has it.
#[derive(Clone, Debug)]
pub struct Row {
    customer_id: i64,
    total_spent: Decimal,
    order_count: i64,
    last_order_date: Option<DateTime<Utc>>,
}

/// What customers spent.
pub async fn find(pool: PgPool, customer_ids: Vec<i64>) -> sqlx::Result<HashMap<i64, Row>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT customer_id AS "customer_id!", total_spent AS "total_spent!", order_count AS "order_count!",
                  last_order_date
           FROM customer_ltv_view
           WHERE customer_id = ANY($1)"#,
        &customer_ids,
    )
    .fetch_all(&pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.customer_id, row)).collect())
}

refusals! {
    /// Why there is no answer.
    NotFound:
        Problem::bad_request("Invalid customer id").detail("The id in the path is not valid."),
        Problem::not_found("Customer not found").detail("No event about the customer has arrived."),
}

/// What a customer spent
#[utoipa::path(
    get,
    path = "/api/analytics/customers/{id}/lifetime-value",
    operation_id = "getLifetimeValue",
    tag = openapi::ANALYTICS,
    params(("id" = Id, Path, description = "The customer.", example = 42)),
    responses((status = 200, description = "Zeros if nothing was ordered.", body = LifetimeValue), NotFound)
)]
pub async fn get(State(by_key): State<ByKey>, id: Segment) -> Result<Json<LifetimeValue>, Problem> {
    let customer_id = id.id("Invalid customer id")?;
    let row = by_key.lifetime_values.get(customer_id).await?.ok_or_else(|| {
        Problem::not_found("Customer not found")
            .detail(format!("No event about customer {customer_id} has arrived."))
    })?;
    Ok(Json(LifetimeValue {
        customer_id,
        total_spent: money(row.total_spent)?,
        order_count: row.order_count,
        last_order_date: row.last_order_date,
    }))
}
