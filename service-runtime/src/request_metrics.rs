//! Metrics of requests: number by route and status, duration by route, and requests in
//! flight.
//!
//! The series of a route are looked up once and kept, so that a request does not build
//! their labels.

use crate::metrics::service::{HTTP_DURATION, HTTP_IN_FLIGHT, HTTP_REQUESTS};
use crate::metrics::{Counter, Gauge, Histogram};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use metrics::SharedString;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The standard methods. Clients can send any other name, and each would be a permanent series
/// of the metrics, so all others share one name.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// The name of a standard method, or `other`.
pub(crate) fn method_name(method: &Method, other: &'static str) -> &'static str {
    METHODS.into_iter().find(|known| *known == method.as_str()).unwrap_or(other)
}

/// Statuses whose series start at 0 with the first request of a route. `rate()` ignores the
/// first value of a series, so a series that started at 1 would hide the first failure.
const FAILURES: [StatusCode; 2] =
    [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::SERVICE_UNAVAILABLE];

/// The requests of one server.
#[derive(Debug)]
pub struct Requests {
    server: &'static str,
    in_flight: Gauge,
    /// By method and then by pattern.
    routes: RwLock<HashMap<&'static str, HashMap<String, Arc<Route>>>>,
}

/// The series of a route and method.
#[derive(Debug)]
struct Route {
    /// Server, method and pattern.
    labels: [(&'static str, SharedString); 3],
    duration: Histogram,
    /// Number of responses by status.
    responses: RwLock<Vec<(StatusCode, Counter)>>,
}

/// An extension of a response: how long the response was delayed at the client's request.
/// The duration metric excludes this time.
#[derive(Clone, Copy, Debug)]
pub struct HeldBack(pub Duration);

impl Requests {
    /// The metrics of a server.
    pub fn of(server: &'static str) -> Arc<Self> {
        let in_flight = HTTP_IN_FLIGHT.with([("server", server.into())]);
        Arc::new(Self { server, in_flight, routes: RwLock::default() })
    }

    fn route(&self, method: &Method, pattern: &str) -> Arc<Route> {
        let method = method_name(method, "other");
        let known = self.routes.read();
        if let Some(route) = known.get(method).and_then(|routes| routes.get(pattern)) {
            return route.clone();
        }
        drop(known);
        let mut routes = self.routes.write();
        let begin = || Arc::new(Route::begin(self.server, method, pattern.to_owned()));
        routes.entry(method).or_default().entry(pattern.to_owned()).or_insert_with(begin).clone()
    }
}

/// Measures a request.
pub async fn measure(
    State(requests): State<Arc<Requests>>,
    request: Request,
    next: Next,
) -> Response {
    let pattern = request.extensions().get::<MatchedPath>();
    let route = requests.route(request.method(), pattern.map_or("unmatched", MatchedPath::as_str));
    requests.in_flight.increment(1.0);
    // Also runs if the client disconnects before the response.
    let _in_flight = scopeguard::guard(&requests.in_flight, |in_flight| in_flight.decrement(1.0));
    let start = Instant::now();
    let response = next.run(request).await;
    let held_back = response.extensions().get().map_or(Duration::ZERO, |HeldBack(time)| *time);
    route.duration.record(start.elapsed().saturating_sub(held_back));
    route.count(response.status());
    response
}

impl Route {
    fn begin(server: &'static str, method: &'static str, pattern: String) -> Self {
        let labels =
            [("server", server.into()), ("method", method.into()), ("route", pattern.into())];
        let duration = HTTP_DURATION.with(labels.clone());
        let route = Self { labels, duration, responses: RwLock::default() };
        for status in FAILURES {
            route.add_status(status).increment(0);
        }
        route
    }

    fn count(&self, status: StatusCode) {
        let known = self.responses.read();
        if let Some((_, responses)) = known.iter().find(|(known, _)| *known == status) {
            responses.increment(1);
            return;
        }
        drop(known);
        self.add_status(status).increment(1);
    }

    /// Adds the series of a status. Two concurrent requests may both add it; both then
    /// increment the same series.
    fn add_status(&self, status: StatusCode) -> Counter {
        let [server, method, route] = self.labels.clone();
        let with_status = ("status", status.as_u16().to_string().into());
        let responses = HTTP_REQUESTS.with([server, method, route, with_status]);
        let mut known = self.responses.write();
        known.push((status, responses.clone()));
        responses
    }
}
