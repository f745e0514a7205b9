//! `/metrics`.

use crate::metrics::{CONTENT_TYPE, Metrics};
use crate::openapi::TAG;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn routes() -> OpenApiRouter<Metrics> {
    OpenApiRouter::default().routes(routes!(get))
}

/// Metrics of the process
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "getMetrics",
    tag = TAG,
    responses((status = 200, description = "The Prometheus text format.", body = String))
)]
async fn get(State(metrics): State<Metrics>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.render())
}
