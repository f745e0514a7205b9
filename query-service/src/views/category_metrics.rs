//! `category_metrics_view`: what a category sold.

use super::{ByKey, money};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;
use shared_events::Money;
use sqlx::PgPool;
use sqlx::types::Decimal;
use std::collections::HashMap;

/// What a category sold.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CategoryRevenue {
    category: String,
    total_revenue: Money,
    /// Orders with a line of the category.
    total_orders: i64,
}

/// What a category sold, as its view has it.
#[derive(Clone, Debug)]
pub struct Row {
    /// As it was asked for.
    asked: String,
    category: String,
    total_revenue: Decimal,
    total_orders: i64,
}

/// What categories sold, by the names asked for.
pub async fn find(pool: PgPool, categories: Vec<String>) -> sqlx::Result<HashMap<String, Row>> {
    let rows = sqlx::query_file_as!(Row, "src/views/category_metrics.sql", &categories)
        .fetch_all(&pool)
        .await?;
    Ok(rows.into_iter().map(|row| (row.asked.clone(), row)).collect())
}

/// `GET /api/analytics/categories/{category}/revenue`
///
/// The category of exactly that name, or else all whose names differ from it
/// only in case, summed.
pub async fn get(
    State(by_key): State<ByKey>,
    Segment(category): Segment,
) -> Result<Json<CategoryRevenue>, Problem> {
    let not_found = || {
        Problem::not_found("Category not found")
            .detail("No event about a product of this category has arrived.")
    };
    if category.contains('\0') {
        // PostgreSQL cannot be asked for it, and has none.
        return Err(not_found());
    }
    let row = by_key.categories.get(category).await?.ok_or_else(not_found)?;
    Ok(Json(CategoryRevenue {
        category: row.category,
        total_revenue: money(row.total_revenue)?,
        total_orders: row.total_orders,
    }))
}
