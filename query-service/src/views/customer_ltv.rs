//! `customer_ltv_view`: customer lifetime value.

use super::amount::Amount;
use super::resource::{CUSTOMER, NoCustomer};
use crate::lookup::Lookup;
use crate::openapi;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use service_runtime::openapi::Id;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;
use sqlx::PgPool;
use utoipa::ToSchema;

/// The lifetime value of a customer.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LifetimeValue {
    /// The customer.
    #[schema(value_type = Id)]
    customer_id: i64,
    /// Total of the orders.
    total_spent: Amount,
    /// Number of orders.
    #[schema(examples(1))]
    order_count: i64,
    /// When the last order was placed, cancelled or not; null without an order.
    #[schema(required = true, examples("2026-11-21T11:44:31.230906Z"))]
    last_order_date: Option<DateTime<Utc>>,
}

/// The lifetime values of these customers.
pub async fn find(pool: PgPool, customer_ids: Vec<i64>) -> sqlx::Result<Vec<(i64, LifetimeValue)>> {
    sqlx::query_as!(
        LifetimeValue,
        r#"SELECT customer_id AS "customer_id!", total_spent AS "total_spent!: Amount",
                  order_count AS "order_count!", last_order_date
           FROM customer_ltv_view
           WHERE customer_id = ANY($1)"#,
        &customer_ids,
    )
    .map(|row| (row.customer_id, row))
    .fetch_all(&pool)
    .await
}

/// Retrieve the lifetime value of a customer
#[utoipa::path(
    get,
    path = "/api/analytics/customers/{id}/lifetime-value",
    operation_id = "getLifetimeValue",
    tag = openapi::ANALYTICS,
    params(("id" = Id, Path, description = "The customer.", example = 42)),
    responses((status = 200, description = "The lifetime value; zero without orders.", body = LifetimeValue), NoCustomer)
)]
pub async fn get(
    State(rows): State<Lookup<i64, LifetimeValue>>,
    id: Segment,
) -> Result<Json<LifetimeValue>, Problem> {
    CUSTOMER.look_up(&rows, &id).await.map(Json)
}
