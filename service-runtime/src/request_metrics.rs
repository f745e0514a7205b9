//! How requests fare: their number, durations and answers by route, and how many are
//! under way.
//!
//! Series are looked up once for a route and kept: to find them again by their labels,
//! each request would build these anew.

use crate::metrics::service::{HTTP_DURATION, HTTP_IN_FLIGHT, HTTP_REQUESTS};
use crate::metrics::{Counter, Gauge, Histogram};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// The methods that are told apart. Anybody can make up more, and each would be a
/// series that stays for ever.
const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

/// Answers that are counted from a route's first request on, though there is none yet:
/// a rate leaves the first value of a series out, and of these none is to be missed.
const FAILURES: [StatusCode; 2] =
    [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::SERVICE_UNAVAILABLE];

/// The requests of one server.
#[derive(Clone, Debug)]
pub struct Requests(Arc<Server>);

#[derive(Debug)]
struct Server {
    name: &'static str,
    in_flight: Gauge,
    /// By pattern, for each of the methods and for all others.
    routes: RwLock<[HashMap<String, Arc<Route>>; METHODS.len() + 1]>,
}

/// One route, called by one method.
#[derive(Debug)]
struct Route {
    server: &'static str,
    method: String,
    pattern: String,
    duration: Histogram,
    /// How many were answered with which status.
    answers: RwLock<Vec<(StatusCode, Counter)>>,
}

/// In the extensions of an answer: how long it was held back as the client had asked
/// for, which is no time that the service took.
#[derive(Clone, Copy, Debug)]
pub struct HeldBack(pub Duration);

/// A request that is being answered, until it is dropped.
struct UnderWay<'a>(&'a Gauge);

impl Requests {
    /// Those of the server of that name.
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
    let _under_way = UnderWay::begin(&server.in_flight);
    let start = Instant::now();
    let response = next.run(request).await;
    let held_back = response.extensions().get().map_or(Duration::ZERO, |HeldBack(time)| *time);
    route.duration.record(start.elapsed().saturating_sub(held_back));
    route.count(response.status());
    response
}

impl Server {
    fn route(&self, method: &Method, pattern: &str) -> Arc<Route> {
        let place = METHODS.iter().position(|known| known == method).unwrap_or(METHODS.len());
        let known = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = known[place].get(pattern) {
            return route.clone();
        }
        drop(known);
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        let method = METHODS.get(place).map_or("other", Method::as_str);
        let begin = || Arc::new(Route::begin(self.name, method, pattern));
        routes[place].entry(pattern.to_owned()).or_insert_with(begin).clone()
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
        let route = Self { server, method, pattern, duration, answers: RwLock::default() };
        for status in FAILURES {
            route.answer(status).increment(0);
        }
        route
    }

    fn count(&self, status: StatusCode) {
        let known = self.answers.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, answers)) = known.iter().find(|(known, _)| *known == status) {
            answers.increment(1);
            return;
        }
        drop(known);
        self.answer(status).increment(1);
    }

    /// The series of a status that there was none for. Beginning it twice, as two
    /// requests may, gives the same one.
    fn answer(&self, status: StatusCode) -> Counter {
        let answers = HTTP_REQUESTS.with([
            ("server", self.server.into()),
            ("method", self.method.clone().into()),
            ("route", self.pattern.clone().into()),
            ("status", status.as_u16().to_string().into()),
        ]);
        let mut known = self.answers.write().unwrap_or_else(PoisonError::into_inner);
        known.push((status, answers.clone()));
        answers
    }
}

impl<'a> UnderWay<'a> {
    fn begin(in_flight: &'a Gauge) -> Self {
        in_flight.increment(1.0);
        Self(in_flight)
    }
}

impl Drop for UnderWay<'_> {
    /// Also if the client leaves before it is answered.
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}
