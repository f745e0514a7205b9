//! HTTP servers, all with the same layers.

use crate::auth::{Authorization, AuthorizedRoutes};
use crate::http_connections::{self, Limits};
use crate::json_body::{BODY_TIMEOUT, MAX_BODY_BYTES};
use crate::log_limit::LogLimit;
use crate::problem::Problem;
use crate::request_metrics::{self, Requests};
use crate::request_trace::trace_request;
use anyhow::Context;
use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tracing::warn;

/// Maximum length of the path and query of a request. The gateway has the same limit.
const MAX_ADDRESS_BYTES: usize = 8 << 10;

/// Timeout of a request after its body has arrived; then 503.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Limits log lines about timeouts.
static LOGGED: LogLimit = LogLimit::new();

/// Maximum concurrent requests of a server. Further requests receive 503: they would wait
/// too long for the database.
const MAX_REQUESTS: usize = 2_048;

/// Opens a port and serves `routes` until shutdown, then finishes the requests in progress.
/// Port 0 means any free port, which the log shows.
///
/// # Errors
/// The port cannot be opened.
pub async fn serve(
    name: &'static str,
    address: SocketAddr,
    routes: AuthorizedRoutes,
    shutdown: CancellationToken,
) -> anyhow::Result<impl Future<Output = ()> + Send> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: is the port taken?"))?;
    tracing::info!("{name}: listening on {}", listener.local_addr()?);
    let (routes, authorization, clients) = routes.into_parts();
    let routes = layered(name, routes, &authorization);
    Ok(http_connections::serve(listener, routes, Limits::new(clients), shutdown))
}

/// Adds the layers of every server, as one layer: each layer of a router costs a copy of the
/// inner service per request.
fn layered(name: &'static str, routes: Router, authorization: &Authorization) -> Router {
    let limit = Arc::new(Semaphore::new(MAX_REQUESTS));
    // A shared cache treats responses to Authorization as private, but not responses to
    // X-Api-Key.
    let private = HeaderValue::from_static("no-store");
    // Outermost first.
    let layers = ServiceBuilder::new()
        .layer(middleware::from_fn(trace_request))
        .layer(middleware::from_fn_with_state(Requests::of(name), request_metrics::measure))
        .layer(SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, private))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            Problem::internal(&"a handler panicked").into_response()
        }))
        .layer(middleware::from_fn_with_state(limit, limit_request))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES));
    routes
        .fallback(authorization.before(Problem::no_path))
        .method_not_allowed_fallback(authorization.before(|| {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
                .detail("The path does not support this method; see the header Allow.")
        }))
        .layer(layers)
}

/// The response to a path and query that are too long.
pub(crate) fn address_too_long() -> Problem {
    Problem::new(StatusCode::URI_TOO_LONG, "Address too long")
        .detail(format!("The maximum length of path and query is {MAX_ADDRESS_BYTES} bytes."))
}

/// Limits the address length, the concurrency and the duration of requests.
async fn limit_request(
    State(limit): State<Arc<Semaphore>>,
    request: Request,
    next: Next,
) -> Response {
    if request.uri().path_and_query().is_some_and(|text| text.as_str().len() > MAX_ADDRESS_BYTES) {
        return address_too_long().into_response();
    }
    let Ok(_permit) = limit.try_acquire() else {
        return Problem::unavailable("Service busy")
            .detail("Too many concurrent requests. The request had no effect; retry.")
            .into_response();
    };
    let is_query = matches!(*request.method(), Method::GET | Method::HEAD);
    // Bodies have a separate timeout.
    let deadline = if is_query { REQUEST_TIMEOUT } else { BODY_TIMEOUT + REQUEST_TIMEOUT };
    let route = request.extensions().get::<MatchedPath>().cloned();
    tokio::time::timeout(deadline, next.run(request)).await.unwrap_or_else(|_| {
        let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
        if let Some(suppressed) = LOGGED.admit(route) {
            warn!(route, suppressed, "no response within {} s", deadline.as_secs());
        }
        let detail = if is_query {
            "There was no response in time; retry."
        } else {
            "There was no response in time; whether the request took effect is unknown. With an \
             Idempotency-Key it can be retried."
        };
        Problem::unavailable("Timed out").detail(detail).into_response()
    })
}
