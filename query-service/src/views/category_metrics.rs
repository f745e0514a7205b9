//! `category_metrics_view`: what a category sold.

use super::{ByKey, money};
use crate::openapi;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;
use service_runtime::refusals;
use shared_events::Money;
use sqlx::PgPool;
use sqlx::types::Decimal;
use std::collections::HashMap;
use utoipa::ToSchema;

/// What a category sold.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CategoryRevenue {
    /// Its name; that asked for if several were summed.
    #[schema(examples("Drinks"))]
    category: String,
    /// Revenue.
    total_revenue: Money,
    /// Orders with a line of the category.
    #[schema(examples(1))]
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

refusals! {
    /// Why there is no answer.
    NotFound: not_found()
}

fn not_found() -> Problem {
    Problem::not_found("Category not found")
        .detail("No event about a product of this category has arrived.")
}

/// What a category sold
///
/// The category of exactly that name, or else all whose names differ from it
/// only in case, summed.
#[utoipa::path(
    get,
    path = "/api/analytics/categories/{category}/revenue",
    operation_id = "getRevenueOfCategory",
    tag = openapi::ANALYTICS,
    params(("category" = String, Path, description = "The category.", min_length = 1, example = "Drinks")),
    responses((status = 200, description = "Zeros if nothing was sold.", body = CategoryRevenue), NotFound)
)]
pub async fn get(
    State(by_key): State<ByKey>,
    Segment(category): Segment,
) -> Result<Json<CategoryRevenue>, Problem> {
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
