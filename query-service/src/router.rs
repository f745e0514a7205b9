//! Every route of the service, on one page.

use crate::arrivals::Arrivals;
use crate::database::Database;
use crate::views::{
    category_metrics, customer_ltv, hourly_product_sales, invoices, orders, product_sales,
    products, users,
};
use crate::{freshness, read_your_writes, topology};
use axum::Router;
use axum::middleware;
use axum::routing::get;

/// The API, without `/health`.
pub fn routes(database: Database, arrivals: Arrivals) -> Router {
    Router::new()
        .route("/api/analytics/products/{id}/sales", get(product_sales::get))
        .route("/api/analytics/categories/{category}/revenue", get(category_metrics::get))
        .route("/api/analytics/customers/{id}/lifetime-value", get(customer_ltv::get))
        .route("/api/analytics/hourly-sales", get(hourly_product_sales::list))
        .route("/api/analytics/sync-status", get(freshness::get))
        .route("/api/analytics/topology", get(topology::get))
        .route("/sync-status", get(freshness::get_short))
        .route("/api/products", get(products::list))
        .route("/api/products/{id}", get(products::get))
        .route("/api/orders", get(orders::list))
        .route("/api/orders/{id}", get(orders::get))
        .route("/api/users", get(users::list))
        .route("/api/users/{id}", get(users::get))
        .route("/api/invoices", get(invoices::get))
        .with_state(database)
        .layer(middleware::from_fn_with_state(arrivals, read_your_writes::wait))
}
