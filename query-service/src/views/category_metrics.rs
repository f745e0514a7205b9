//! `category_metrics_view`: what a category sold.

use super::money;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;
use shared_events::Money;
use sqlx::PgPool;

/// What a category sold.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CategoryRevenue {
    category: String,
    total_revenue: Money,
    /// Orders with a line of the category.
    total_orders: i64,
}

/// `GET /api/analytics/categories/{category}/revenue`
///
/// The category of exactly that name, or else all whose names differ from it
/// only in case, summed.
pub async fn get(
    State(pool): State<PgPool>,
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
    let row =
        sqlx::query_file!("src/views/category_metrics.sql", category).fetch_one(&pool).await?;
    Ok(Json(CategoryRevenue {
        category: row.category.ok_or_else(not_found)?,
        total_revenue: money(row.total_revenue)?,
        total_orders: row.total_orders,
    }))
}
