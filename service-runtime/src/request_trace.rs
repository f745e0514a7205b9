//! What is told of each request: its trace, its id and a log line.

use crate::log_limit::LogLimit;
use crate::problem::ErrorText;
use crate::request_id;
use crate::trace::{self, Description, KeyValue, Span};
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use std::time::Instant;
use trace_context::TraceParent;
use tracing::{debug, info};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Longest id that a client may give to a request.
const MAX_ID_BYTES: usize = 128;

/// Asked every few seconds, by machines: no traces are begun for these.
const PROBES: [&str; 2] = ["/health", "/metrics"];

/// Limits log lines about failed requests.
static LOGGED: LogLimit = LogLimit::new();

/// Where log lines of requests come from, for `RUST_LOG`.
const TARGET: &str = "access";

/// Gives a request its trace, which is the client's if it has one, and its id; answers
/// name both. It is logged under the pattern of its path: a path and its parameters may
/// name persons.
pub async fn trace_request(request: Request, next: Next) -> Response {
    let id = id_of(request.headers());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let method = method_name(request.method());
    let client = client_trace(request.headers());
    let (mut span, trace) = if PROBES.contains(&route) {
        (Span::default(), client.unwrap_or_else(TraceParent::generate))
    } else {
        Span::of_request(client, || describe(method, route))
    };
    let start = Instant::now();
    let work = request_id::scope(Some(id.clone()), next.run(request));
    let mut response = trace::scope(trace, work).await;
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

/// By the semantic conventions for HTTP servers, without the path; see there.
fn describe(method: &'static str, route: &str) -> Description {
    Description {
        name: format!("{method} {route}").into(),
        attributes: vec![
            KeyValue::new("http.request.method", method),
            KeyValue::new("http.route", route.to_owned()),
            KeyValue::new("url.scheme", "http"),
        ],
    }
}

/// A line for each request would take a twentieth of the time of an order, and hide all
/// others: at `info` there is one for each route and kind of failure that is not the
/// client's, at most one in [10 s](crate::log_limit::INTERVAL). A `/health` that answers
/// 503 is no failed request.
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

/// The client's id of the request, or a new one. Of few characters, as the gateway has
/// it: it is logged, and sent back.
fn id_of(headers: &HeaderMap) -> HeaderValue {
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

/// The trace that the client says the request belongs to. Of several it is none.
fn client_trace(headers: &HeaderMap) -> Option<TraceParent> {
    let mut given = headers.get_all(TRACEPARENT).iter();
    let first = given.next().filter(|_| given.next().is_none())?;
    TraceParent::parse(first.to_str().ok()?)
}

/// Anybody can make up methods.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    /// The id and the trace of the answer, and the trace that the handler saw.
    async fn ask(headers: &[(&str, &str)]) -> (String, String, String) {
        let handler = || async { trace::current().unwrap().to_string() };
        let routes =
            Router::new().route("/", get(handler)).layer(axum::middleware::from_fn(trace_request));
        let request = Request::get("/");
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = routes.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let header = |name: HeaderName| answer.headers()[name].to_str().unwrap().to_owned();
        let (id, trace) = (header(REQUEST_ID), header(TRACEPARENT));
        let seen = axum::body::to_bytes(answer.into_body(), 1_000).await.unwrap();
        (id, trace, String::from_utf8(seen.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_clients_trace_goes_on_and_any_other_request_begins_one() {
        let (_, answered, seen) = ask(&[("traceparent", TRACE)]).await;
        assert_eq!((answered.as_str(), seen.as_str()), (TRACE, TRACE));
        for headers in [&[][..], &[("traceparent", "00-x")], &[("traceparent", TRACE); 2]] {
            let (_, answered, seen) = ask(headers).await;
            assert_eq!(answered, seen);
            assert!(answered != TRACE && TraceParent::parse(&answered).is_some(), "{answered}");
        }
    }

    #[tokio::test]
    async fn only_ids_that_do_no_harm_are_taken_over() {
        assert_eq!(ask(&[("x-request-id", "tour-7:a.b_c")]).await.0, "tour-7:a.b_c");
        let long = "a".repeat(MAX_ID_BYTES + 1);
        for bad in ["", "a b", "ada@example.com", "a\tb", "a;b", "\u{9b}2J", &long] {
            let (id, _, _) = ask(&[("x-request-id", bad)]).await;
            assert!(uuid::Uuid::parse_str(&id).is_ok(), "{bad:?} became {id:?}");
        }
    }
}
