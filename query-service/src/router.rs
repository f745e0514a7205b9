//! Every route of the service, on one page.

use crate::freshness;
use crate::views::{
    category_metrics, customer_ltv, hourly_product_sales, orders, product_sales, products,
};
use axum::Router;
use axum::routing::get;
use sqlx::PgPool;

/// The API, without `/health`.
pub fn routes(pool: PgPool) -> Router {
    Router::new()
        .route("/api/analytics/products/{id}/sales", get(product_sales::get))
        .route("/api/analytics/categories/{category}/revenue", get(category_metrics::get))
        .route("/api/analytics/customers/{id}/lifetime-value", get(customer_ltv::get))
        .route("/api/analytics/hourly-sales", get(hourly_product_sales::list))
        .route("/api/analytics/sync-status", get(freshness::get))
        .route("/sync-status", get(freshness::get_short))
        .route("/api/products", get(products::list))
        .route("/api/products/{id}", get(products::get))
        .route("/api/orders", get(orders::list))
        .route("/api/orders/{id}", get(orders::get))
        .with_state(pool)
}
