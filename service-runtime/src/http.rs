//! HTTP servers, all with the same layers.

use crate::auth::{Gate, Guarded};
use crate::connections::{self, Limits};
use crate::limits::{BODY_TIMEOUT, MAX_ADDRESS_BYTES, MAX_BODY_BYTES};
use crate::log_limit::LogLimit;
use crate::metrics::common::PANICS;
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

/// A request that takes longer, after its body has arrived, is answered 503.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Requests that timed out and were logged.
static LOGGED: LogLimit = LogLimit::new();

/// Most requests of a server that are under way at once. More are told to come
/// again: they would wait for the database longer than is of use.
const MAX_REQUESTS: usize = 2_048;

/// Opens a port and serves `routes` there until shutdown; requests under way
/// then are finished. Port 0 means any free one; the log tells which.
///
/// # Errors
/// If the port cannot be opened.
pub async fn serve(
    name: &'static str,
    address: SocketAddr,
    routes: Guarded,
    shutdown: CancellationToken,
) -> anyhow::Result<impl Future<Output = anyhow::Result<()>> + Send> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: is the port taken?"))?;
    tracing::info!("{name}: listening on {}", listener.local_addr()?);
    let (routes, gate, clients) = routes.into_parts();
    let routes = layered(name, routes, &gate);
    Ok(async move {
        connections::serve(listener, routes, Limits::of(clients), shutdown).await;
        Ok(())
    })
}

/// Gives routes what every server needs: as one layer, for each that a router is
/// given costs every request a copy of all within it.
fn layered(name: &'static str, routes: Router, gate: &Gate) -> Router {
    let room = Arc::new(Semaphore::new(MAX_REQUESTS));
    // A cache on the way knows that an answer to Authorization is for one caller, but not
    // that one to X-Api-Key is.
    let for_one_caller = HeaderValue::from_static("no-store");
    // Outermost first.
    let layers = ServiceBuilder::new()
        .layer(middleware::from_fn(trace_request))
        .layer(middleware::from_fn_with_state(Requests::of(name), request_metrics::measure))
        .layer(SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, for_one_caller))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            PANICS.add(1);
            Problem::internal(&"a handler panicked").into_response()
        }))
        .layer(middleware::from_fn_with_state(room, admit))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES));
    routes
        .fallback(gate.before(|| Problem::not_found("Not found").detail("There is no such path.")))
        .method_not_allowed_fallback(gate.before(|| {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
                .detail("The path exists, but not with this method; see the header Allow.")
        }))
        .layer(layers)
}

/// Lets a request in if there is room, for a bounded time.
async fn admit(State(room): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    if request.uri().path_and_query().is_some_and(|text| text.as_str().len() > MAX_ADDRESS_BYTES) {
        return Problem::new(StatusCode::URI_TOO_LONG, "Address too long")
            .detail(format!("Path and query may have {MAX_ADDRESS_BYTES} bytes."))
            .into_response();
    }
    let Ok(_place) = room.try_acquire() else {
        return Problem::unavailable("Service busy")
            .detail("Too many requests are under way. This one had no effect; try again.")
            .into_response();
    };
    let is_query = matches!(*request.method(), Method::GET | Method::HEAD);
    // Bodies have a timeout of their own.
    let deadline = if is_query { REQUEST_TIMEOUT } else { BODY_TIMEOUT + REQUEST_TIMEOUT };
    let route = request.extensions().get::<MatchedPath>().cloned();
    tokio::time::timeout(deadline, next.run(request)).await.unwrap_or_else(|_| {
        let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
        if let Some(suppressed) = LOGGED.admit(route) {
            warn!(route, suppressed, "no response within {} s", deadline.as_secs());
        }
        let detail = if is_query {
            "There was no response in time; try again."
        } else {
            "There was no response in time; whether the request took effect is unknown. With an \
             Idempotency-Key it can be sent again."
        };
        Problem::unavailable("Timed out").detail(detail).into_response()
    })
}
