//! Every route of the API.

use crate::event_waiting::EventWaiting;
use crate::state::AppState;
use crate::views::{
    category_metrics, customer_ltv, hourly_product_sales, invoices, orders, product_sales,
    products, users,
};
use crate::{read_your_writes, sync_status, topology};
use axum::middleware;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of the API, which wait for the event that a query names.
pub fn served(state: AppState, event_waiting: EventWaiting) -> OpenApiRouter {
    routes()
        .with_state(state)
        .layer(middleware::from_fn_with_state(event_waiting, read_your_writes::wait))
}

/// The routes of the API.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(product_sales::get))
        .routes(routes!(category_metrics::get))
        .routes(routes!(customer_ltv::get))
        .routes(routes!(hourly_product_sales::list))
        .routes(routes!(sync_status::get))
        .routes(routes!(topology::get))
        .routes(routes!(sync_status::get_short))
        .routes(routes!(products::list))
        .routes(routes!(products::get))
        .routes(routes!(orders::list))
        .routes(routes!(orders::get))
        .routes(routes!(orders::refunds))
        .routes(routes!(users::list))
        .routes(routes!(users::get))
        .routes(routes!(invoices::get))
}
