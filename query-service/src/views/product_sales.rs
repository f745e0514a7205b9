//! `product_sales_view`: product sales.

use super::amount::Amount;
use super::resource::{NoProduct, PRODUCT};
use crate::lookup::Lookup;
use crate::openapi;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use service_runtime::openapi::Id;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;
use sqlx::PgPool;
use utoipa::ToSchema;

/// The sales of a product.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProductSales {
    /// The product.
    #[schema(value_type = Id)]
    product_id: i64,
    /// Units sold.
    #[schema(examples(2))]
    total_quantity_sold: i64,
    /// Revenue.
    total_revenue: Amount,
    /// The same as `totalRevenue`.
    total_sales: Amount,
    /// Number of orders with the product.
    #[schema(examples(1))]
    order_count: i64,
}

/// The sales of these products. A product exists once any event has named it.
pub async fn find(pool: PgPool, product_ids: Vec<i64>) -> sqlx::Result<Vec<(i64, ProductSales)>> {
    sqlx::query!(
        r#"SELECT requested.product_id AS "product_id!",
                  coalesce(sales.total_quantity_sold, 0) AS "total_quantity_sold!",
                  coalesce(sales.total_revenue, 0) AS "total_revenue!: Amount",
                  coalesce(sales.order_count, 0) AS "order_count!"
           FROM unnest($1::bigint[]) AS requested (product_id)
           LEFT JOIN product_sales_view AS sales
               ON sales.product_id = ANY (ARRAY[requested.product_id])
           WHERE sales.product_id IS NOT NULL OR EXISTS (
               SELECT FROM products_read
               WHERE products_read.product_id = ANY (ARRAY[requested.product_id])
           )"#,
        &product_ids,
    )
    .map(|row| {
        let sales = ProductSales {
            product_id: row.product_id,
            total_quantity_sold: row.total_quantity_sold,
            total_revenue: row.total_revenue,
            total_sales: row.total_revenue,
            order_count: row.order_count,
        };
        (sales.product_id, sales)
    })
    .fetch_all(&pool)
    .await
}

/// Retrieve the sales of a product
#[utoipa::path(
    get,
    path = "/api/analytics/products/{id}/sales",
    operation_id = "getSalesOfProduct",
    tag = openapi::ANALYTICS,
    params(("id" = Id, Path, description = "The product.", example = 1)),
    responses((status = 200, description = "The sales; zero without orders.", body = ProductSales), NoProduct)
)]
pub async fn get(
    State(rows): State<Lookup<i64, ProductSales>>,
    id: Segment,
) -> Result<Json<ProductSales>, Problem> {
    PRODUCT.look_up(&rows, &id).await.map(Json)
}
