//! `product_sales_view`: what a product sold.

use super::money;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;
use shared_events::Money;
use sqlx::PgPool;

/// What a product sold.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductSales {
    product_id: i64,
    /// Pieces.
    total_quantity_sold: i64,
    total_revenue: Money,
    /// The same as `totalRevenue`.
    total_sales: Money,
    /// Orders that name the product, each once.
    order_count: i64,
}

/// `GET /api/analytics/products/{productId}/sales`
pub async fn get(State(pool): State<PgPool>, id: Segment) -> Result<Json<ProductSales>, Problem> {
    let product_id = id.id("Invalid product id")?;
    // A product is known as soon as any event named it.
    let row = sqlx::query!(
        r#"SELECT coalesce(sales.total_quantity_sold, 0) AS "total_quantity_sold!",
                  coalesce(sales.total_revenue, 0) AS "total_revenue!",
                  coalesce(sales.order_count, 0) AS "order_count!"
           FROM products_read_view AS product
           LEFT JOIN product_sales_view AS sales USING (product_id)
           WHERE product.product_id = $1"#,
        product_id,
    )
    .fetch_optional(&pool)
    .await?
    .ok_or_else(|| {
        Problem::not_found("Product not found")
            .detail(format!("No event about product {product_id} has arrived."))
    })?;
    let revenue = money(row.total_revenue)?;
    Ok(Json(ProductSales {
        product_id,
        total_quantity_sold: row.total_quantity_sold,
        total_revenue: revenue,
        total_sales: revenue,
        order_count: row.order_count,
    }))
}
