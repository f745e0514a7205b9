//! `GET /health` and `GET /metrics`.

use crate::health::{Dependency, Health};
use crate::metrics::{CONTENT_TYPE, Metrics};
use crate::openapi::TAG;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The health to show, and whether to show why a dependency is down. The reasons quote
/// databases, brokers and files, whose names are not public.
#[derive(Clone, Debug)]
pub struct Shown {
    pub health: Health,
    pub with_details: bool,
}

pub fn health() -> OpenApiRouter<Shown> {
    OpenApiRouter::default().routes(routes!(get_health))
}

pub fn metrics() -> OpenApiRouter<Metrics> {
    OpenApiRouter::default().routes(routes!(get_metrics))
}

/// The health of a service, with a property for each dependency.
#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
struct Body {
    /// `ok`, or `unavailable` while a critical dependency is down.
    #[schema(examples("ok"))]
    status: &'static str,
    #[serde(flatten)]
    dependencies: BTreeMap<&'static str, Dependency>,
}

/// Get the health of the service
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "getHealth",
    tag = TAG,
    responses(
        (status = 200, description = "The service is available.", body = Body),
        (status = 503, description = "A critical dependency is down.", body = Body),
    )
)]
async fn get_health(State(Shown { health, with_details }): State<Shown>) -> Response {
    let (is_available, mut dependencies) = health.snapshot();
    if !with_details {
        dependencies.values_mut().for_each(|dependency| dependency.detail = None);
    }
    let (code, status) = if is_available {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    };
    (code, Json(Body { status, dependencies })).into_response()
}

/// Metrics of the process
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "getMetrics",
    tag = TAG,
    responses((status = 200, description = "The Prometheus text format.", body = String))
)]
async fn get_metrics(State(metrics): State<Metrics>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.render())
}
