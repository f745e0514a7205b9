//! `customer_ltv_view`: customer lifetime value.

use super::money;
use crate::lookup::Lookup;
use crate::openapi;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use service_runtime::openapi::{Id, invalid_id};
use service_runtime::path::Segment;
use service_runtime::problem::Problem;
use service_runtime::refusals;
use shared_events::Money;
use sqlx::PgPool;
use sqlx::types::Decimal;
use std::collections::HashMap;
use utoipa::ToSchema;

/// The lifetime value of a customer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LifetimeValue {
    /// The customer.
    #[schema(value_type = Id)]
    customer_id: i64,
    /// Total of the orders.
    total_spent: Money,
    /// Number of orders.
    #[schema(examples(1))]
    order_count: i64,
    /// When the last order was placed, cancelled or not; null without an order.
    #[schema(required = true, examples("2026-11-21T11:44:31.230906Z"))]
    last_order_date: Option<DateTime<Utc>>,
}

/// A row of the view.
#[derive(Clone, Debug)]
pub struct Row {
    customer_id: i64,
    total_spent: Decimal,
    order_count: i64,
    last_order_date: Option<DateTime<Utc>>,
}

/// The rows of these customers.
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

/// The text of the response to an invalid id.
const INVALID_ID: &str = "Invalid customer id";

fn not_found(id: i64) -> Problem {
    Problem::not_found("Customer not found")
        .detail(format!("No event about customer {id} has been applied."))
}

refusals! {
    NotFound:
        invalid_id(INVALID_ID),
        not_found(1),
}

/// Retrieve the lifetime value of a customer
#[utoipa::path(
    get,
    path = "/api/analytics/customers/{id}/lifetime-value",
    operation_id = "getLifetimeValue",
    tag = openapi::ANALYTICS,
    params(("id" = Id, Path, description = "The customer.", example = 42)),
    responses((status = 200, description = "The lifetime value; zero without orders.", body = LifetimeValue), NotFound)
)]
pub async fn get(
    State(rows): State<Lookup<i64, Row>>,
    id: Segment,
) -> Result<Json<LifetimeValue>, Problem> {
    let customer_id = id.id(INVALID_ID)?;
    let row = rows.get(customer_id).await?.ok_or_else(|| not_found(customer_id))?;
    Ok(Json(LifetimeValue {
        customer_id,
        total_spent: money(row.total_spent)?,
        order_count: row.order_count,
        last_order_date: row.last_order_date,
    }))
}
