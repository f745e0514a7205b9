//! `customer_ltv_view`: what a customer spent.

use super::money;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;
use shared_events::Money;
use sqlx::PgPool;

/// What a customer spent.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LifetimeValue {
    customer_id: i64,
    total_spent: Money,
    order_count: i64,
    /// When the last order was placed; null if none was.
    last_order_date: Option<DateTime<Utc>>,
}

/// `GET /api/analytics/customers/{customerId}/lifetime-value`
pub async fn get(State(pool): State<PgPool>, id: Segment) -> Result<Json<LifetimeValue>, Problem> {
    let customer_id = id.id("Invalid customer id")?;
    let row = sqlx::query!(
        r#"SELECT total_spent AS "total_spent!", order_count AS "order_count!", last_order_date
           FROM customer_ltv_view
           WHERE customer_id = $1"#,
        customer_id,
    )
    .fetch_optional(&pool)
    .await?
    .ok_or_else(|| {
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
