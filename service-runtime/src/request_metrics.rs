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
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Methods with series of their own. Clients can send any other name, and each would be a
/// permanent series, so all others share one.
const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

/// Statuses whose series start at 0 with the first request of a route. `rate()` ignores the
/// first value of a series, so a series that started at 1 would hide the first failure.
const FAILURES: [StatusCode; 2] =
    [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::SERVICE_UNAVAILABLE];

/// The requests of one server.
#[derive(Clone, Debug)]
pub struct Requests(Arc<Server>);

#[derive(Debug)]
struct Server {
    name: &'static str,
    in_flight: Gauge,
    /// By method, with one entry for all other methods, and then by pattern.
    routes: RwLock<[HashMap<String, Arc<Route>>; METHODS.len() + 1]>,
}

/// The series of a route and method.
#[derive(Debug)]
struct Route {
    server: &'static str,
    method: String,
    pattern: String,
    duration: Histogram,
    /// Number of responses by status.
    responses: RwLock<Vec<(StatusCode, Counter)>>,
}

/// An extension of a response: how long the response was delayed at the client's request.
/// The duration metric excludes this time.
#[derive(Clone, Copy, Debug)]
pub struct HeldBack(pub Duration);

/// Counts a request as in flight until dropped.
struct InFlight<'a>(&'a Gauge);

impl Requests {
    /// The metrics of a server.
    pub fn of(server: &'static str) -> Self {
        let in_flight = HTTP_IN_FLIGHT.with([("server", server.into())]);
        Self(Arc::new(Server { name: server, in_flight, routes: RwLock::default() }))
    }
}

/// Measures a request.
pub async fn measure(
    State(Requests(server)): State<Requests>,
    request: Request,
    next: Next,
) -> Response {
    let pattern = request.extensions().get::<MatchedPath>();
    let route = server.route(request.method(), pattern.map_or("unmatched", MatchedPath::as_str));
    let _in_flight = InFlight::begin(&server.in_flight);
    let start = Instant::now();
    let response = next.run(request).await;
    let held_back = response.extensions().get().map_or(Duration::ZERO, |HeldBack(time)| *time);
    route.duration.record(start.elapsed().saturating_sub(held_back));
    route.count(response.status());
    response
}

impl Server {
    fn route(&self, method: &Method, pattern: &str) -> Arc<Route> {
        let index = METHODS.iter().position(|known| known == method).unwrap_or(METHODS.len());
        let known = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = known[index].get(pattern) {
            return route.clone();
        }
        drop(known);
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        let method = METHODS.get(index).map_or("other", Method::as_str);
        let begin = || Arc::new(Route::begin(self.name, method, pattern));
        routes[index].entry(pattern.to_owned()).or_insert_with(begin).clone()
    }
}

impl Route {
    fn begin(server: &'static str, method: &str, pattern: &str) -> Self {
        let (method, pattern) = (method.to_owned(), pattern.to_owned());
        let duration = HTTP_DURATION.with([
            ("server", server.into()),
            ("method", method.clone().into()),
            ("route", pattern.clone().into()),
        ]);
        let route = Self { server, method, pattern, duration, responses: RwLock::default() };
        for status in FAILURES {
            route.add_status(status).increment(0);
        }
        route
    }

    fn count(&self, status: StatusCode) {
        let known = self.responses.read().unwrap_or_else(PoisonError::into_inner);
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
        let responses = HTTP_REQUESTS.with([
            ("server", self.server.into()),
            ("method", self.method.clone().into()),
            ("route", self.pattern.clone().into()),
            ("status", status.as_u16().to_string().into()),
        ]);
        let mut known = self.responses.write().unwrap_or_else(PoisonError::into_inner);
        known.push((status, responses.clone()));
        responses
    }
}

impl<'a> InFlight<'a> {
    fn begin(in_flight: &'a Gauge) -> Self {
        in_flight.increment(1.0);
        Self(in_flight)
    }
}

impl Drop for InFlight<'_> {
    /// Also runs if the client disconnects before the response.
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
