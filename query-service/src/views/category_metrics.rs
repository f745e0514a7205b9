//! `category_metrics_view`: category revenue.

use super::amount::Amount;
use crate::lookup::Lookup;
use crate::openapi;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;
use service_runtime::refusals;
use sqlx::PgPool;
use utoipa::ToSchema;

/// The revenue of a category.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CategoryRevenue {
    /// The name of the category; the requested name if several categories are summed.
    #[schema(examples("Drinks"))]
    category: String,
    /// Revenue.
    total_revenue: Amount,
    /// Number of orders with a line in the category.
    #[schema(examples(1))]
    total_orders: i64,
}

/// The revenue of these categories, by the requested names.
pub async fn find(
    pool: PgPool,
    categories: Vec<String>,
) -> sqlx::Result<Vec<(String, CategoryRevenue)>> {
    let rows = sqlx::query_file!("src/views/category_metrics.sql", &categories);
    rows.map(|row| {
        let (category, total_orders) = (row.category, row.total_orders);
        let revenue = CategoryRevenue { category, total_revenue: row.total_revenue, total_orders };
        (row.requested, revenue)
    })
    .fetch_all(&pool)
    .await
}

refusals! {
    NotFound: not_found()
}

fn not_found() -> Problem {
    Problem::not_found("Category not found")
        .detail("No event about a product in this category has been applied.")
}

/// Retrieve the revenue of a category
///
/// The category with exactly this name, or else the sum of all categories whose names
/// differ only in case.
#[utoipa::path(
    get,
    path = "/api/analytics/categories/{category}/revenue",
    operation_id = "getRevenueOfCategory",
    tag = openapi::ANALYTICS,
    params(("category" = String, Path, description = "The category.", min_length = 1, example = "Drinks")),
    responses((status = 200, description = "The revenue; zero without orders.", body = CategoryRevenue), NotFound)
)]
pub async fn get(
    State(rows): State<Lookup<String, CategoryRevenue>>,
    Segment(category): Segment,
) -> Result<Json<CategoryRevenue>, Problem> {
    if category.contains('\0') {
        // PostgreSQL does not accept NUL.
        return Err(not_found());
    }
    rows.get(category).await?.ok_or_else(not_found).map(Json)
}
