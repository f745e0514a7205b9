//! The trace, id and log line of each request.

use crate::log_limit::LogLimit;
use crate::problem::ErrorText;
use crate::request_metrics::method_name;
use crate::trace::{self, KeyValue, Span, SpanBuilder, SpanKind};
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use std::time::Instant;
use trace_context::TraceParent;
use tracing::{debug, info};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Maximum length of a request id from a client.
const MAX_ID_BYTES: usize = 128;

/// Routes that monitoring calls every few seconds: no spans are recorded for them.
const PROBES: [&str; 2] = ["/health", "/metrics"];

/// Limits log lines about failed requests.
static LOGGED: LogLimit = LogLimit::new();

/// The target of the log lines of requests, for `RUST_LOG`.
const TARGET: &str = "access";

/// Assigns a trace and an id to a request, the client's if it sent them, and returns both
/// in response headers. The log line has the pattern of the path, because path and
/// parameters can contain personal data.
pub async fn trace_request(request: Request, next: Next) -> Response {
    let id = read_or_create_id(request.headers());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let method = method_name(request.method(), "_OTHER");
    let client = client_trace(request.headers());
    let (mut span, trace) = if PROBES.contains(&route) {
        (Span::default(), client.unwrap_or_else(TraceParent::generate))
    } else {
        Span::of_request(client, || describe(method, route))
    };
    let start = Instant::now();
    let mut response = trace::scope(trace, Some(id.clone()), next.run(request)).await;
    let status = response.status();
    span.set("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.fail("");
    }
    drop(span);
    log(trace, method, route, &response, start, &id);
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    if let Ok(value) = HeaderValue::try_from(trace.to_string()) {
        headers.insert(TRACEPARENT, value);
    }
    response
}

/// Follows the semantic conventions for HTTP servers, but omits the path; see
/// [`trace_request`].
fn describe(method: &'static str, route: &str) -> SpanBuilder {
    let name = format!("{method} {route}");
    SpanBuilder::from_name(name).with_kind(SpanKind::Server).with_attributes([
        KeyValue::new("http.request.method", method),
        KeyValue::new("http.route", route.to_owned()),
        KeyValue::new("url.scheme", "http"),
    ])
}

/// Logs server errors at `info`, at most one per route, status and error text in
/// [10 s](crate::log_limit::INTERVAL), and other requests at `debug`. A line for each
/// request would take a twentieth of the time of an order and hide other lines. A 503 of
/// `/health` is not a failed request.
fn log(
    trace: TraceParent,
    method: &str,
    route: &str,
    response: &Response,
    start: Instant,
    id: &HeaderValue,
) {
    let error = response.extensions().get().map_or("", |ErrorText(error)| *error);
    let is_failure = response.status().is_server_error() && !PROBES.contains(&route);
    let key = || format!("{method} {route} {} {error}", response.status().as_u16());
    let suppressed = if is_failure { LOGGED.admit(&key()) } else { None };
    let duration_ms = start.elapsed().as_micros() as f64 / 1000.0;
    let (status, request_id) = (response.status().as_u16(), id.to_str().unwrap_or_default());
    trace::with(Some(trace), || {
        if let Some(suppressed) = suppressed {
            info!(
                target: TARGET, method, route, status, error, duration_ms, request_id, suppressed,
                "request"
            );
        } else {
            debug!(target: TARGET, method, route, status, duration_ms, request_id, "request");
        }
    });
}

/// The client's id of the request, or a new one. Only the characters that the gateway also
/// allows, because the id is logged and returned.
fn read_or_create_id(headers: &HeaderMap) -> HeaderValue {
    let is_id = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._:-".contains(byte);
        (1..=MAX_ID_BYTES).contains(&bytes.len()) && bytes.iter().all(is_plain)
    };
    headers.get(REQUEST_ID).filter(is_id).cloned().unwrap_or_else(|| {
        let id = uuid::Uuid::new_v4().to_string();
        HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("-"))
    })
}

/// The trace in the client's `traceparent` header; none if there are several headers.
fn client_trace(headers: &HeaderMap) -> Option<TraceParent> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let first = values.next().filter(|_| values.next().is_none())?;
    TraceParent::parse(first.to_str().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    /// Sends a request. Returns the id and trace of the response, and the handler's trace.
    async fn send(headers: &[(&str, &str)]) -> (String, String, String) {
        let handler = || async { trace::current().unwrap().to_string() };
        let routes =
            Router::new().route("/", get(handler)).layer(axum::middleware::from_fn(trace_request));
        let request = Request::get("/");
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = routes.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let header = |name: HeaderName| response.headers()[name].to_str().unwrap().to_owned();
        let (id, trace) = (header(REQUEST_ID), header(TRACEPARENT));
        let body = axum::body::to_bytes(response.into_body(), 1_000).await.unwrap();
        (id, trace, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_request_continues_the_clients_trace_or_starts_one() {
        let (_, returned, handled) = send(&[("traceparent", TRACE)]).await;
        assert_eq!((returned.as_str(), handled.as_str()), (TRACE, TRACE));
        for headers in [&[][..], &[("traceparent", "00-x")], &[("traceparent", TRACE); 2]] {
            let (_, returned, handled) = send(headers).await;
            assert_eq!(returned, handled);
            assert!(returned != TRACE && TraceParent::parse(&returned).is_some(), "{returned}");
        }
    }

    #[tokio::test]
    async fn an_unsafe_request_id_is_replaced() {
        assert_eq!(send(&[("x-request-id", "tour-7:a.b_c")]).await.0, "tour-7:a.b_c");
        let long = "a".repeat(MAX_ID_BYTES + 1);
        for bad in ["", "a b", "ada@example.com", "a\tb", "a;b", "\u{9b}2J", &long] {
            let (id, _, _) = send(&[("x-request-id", bad)]).await;
            assert!(uuid::Uuid::parse_str(&id).is_ok(), "{bad:?} became {id:?}");
        }
    }
}
