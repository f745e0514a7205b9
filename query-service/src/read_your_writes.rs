//! Read-your-writes consistency: `?after=<event id>`.
//!
//! An accepted command returns its event id in `X-Event-Id`. A query that passes this id waits
//! until the views show the event, for a bounded time. After that time the response is marked
//! as stale, or 504 if `strict` is set.

use crate::event_waiting::{EventState, EventWaiting};
use crate::metrics::{READ_YOUR_WRITES, READ_YOUR_WRITES_WAIT, Wait};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use service_runtime::json_body::integer;
use service_runtime::parameters::Parameters;
use service_runtime::problem::Problem;
use service_runtime::request_metrics::HeldBack;
use std::borrow::Cow;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// Longest wait in milliseconds, shorter than the request timeout.
const MAX_WAIT: i64 = 10_000;

/// Default wait in milliseconds.
const DEFAULT_WAIT: i64 = 1_000;

/// Marks a response that does not show the requested event.
const STALE: HeaderName = HeaderName::from_static("x-stale");

/// Query parameters and the equivalent headers.
const AFTER: (&str, &str) = ("after", "x-after-event");
const WAIT: (&str, &str) = ("wait", "x-wait");
const STRICT: (&str, &str) = ("strict", "x-strict");

/// The consistency that a request demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Consistency {
    event_id: Uuid,
    wait: Duration,
    /// Return 504 instead of a stale response.
    is_strict: bool,
}

/// Middleware: delays a query until the views show its event.
pub async fn wait(State(waiting): State<EventWaiting>, request: Request, next: Next) -> Response {
    let consistency = match Consistency::of(&request) {
        Ok(Some(consistency)) => consistency,
        Ok(None) => return next.run(request).await,
        Err(problem) => return problem.into_response(),
    };
    let began = Instant::now();
    let state = waiting.wait(consistency.event_id, began + consistency.wait).await;
    let held_back = began.elapsed();
    READ_YOUR_WRITES_WAIT.record(held_back.as_secs_f64());
    READ_YOUR_WRITES.add_to(result(&state, consistency), 1);
    let mut response = match state {
        Err(problem) => problem.into_response(),
        Ok(EventState::Applied) => next.run(request).await,
        Ok(state) if consistency.is_strict => not_shown(consistency, state).into_response(),
        Ok(EventState::DeadLetter | EventState::Pending) => {
            let mut response = next.run(request).await;
            response.headers_mut().insert(STALE, HeaderValue::from_static("true"));
            response
        }
    };
    response.extensions_mut().insert(HeldBack(held_back));
    response
}

/// The result of a wait, for the metric.
fn result(state: &Result<EventState, Problem>, consistency: Consistency) -> Wait {
    match state {
        Err(_) => Wait::Failed,
        Ok(EventState::Applied) => Wait::Shown,
        Ok(_) if consistency.is_strict => Wait::Refused,
        Ok(EventState::DeadLetter | EventState::Pending) => Wait::Stale,
    }
}

fn not_shown(Consistency { event_id, wait, .. }: Consistency, state: EventState) -> Problem {
    let detail = match state {
        EventState::DeadLetter => format!(
            "Event {event_id} could not be applied and is a dead letter: tell the operator."
        ),
        EventState::Applied | EventState::Pending => format!(
            "Event {event_id} is not in the views after {} ms. Ask again.",
            wait.as_millis()
        ),
    };
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "Not visible yet").detail(detail)
}

impl Consistency {
    /// Reads a request; none if it passes no event id.
    ///
    /// # Errors
    /// 400 with all invalid parameters.
    fn of(request: &Request) -> Result<Option<Self>, Problem> {
        let headers = request.headers();
        let query = request.uri().query().unwrap_or_default();
        // Most requests have none and skip the parsing below.
        let is_present = |(parameter, header): (&str, &str)| {
            query.contains(parameter) || headers.contains_key(header)
        };
        if ![AFTER, WAIT, STRICT].into_iter().any(is_present) {
            return Ok(None);
        }
        let mut parameters = Parameters::of(request.uri())?;
        let event_id = read(&mut parameters, headers, AFTER, event_id);
        let wait = read(&mut parameters, headers, WAIT, |text| integer(text, 0, MAX_WAIT));
        let is_strict = read(&mut parameters, headers, STRICT, flag).unwrap_or(false);
        parameters.check()?;
        let wait = u64::try_from(wait.unwrap_or(DEFAULT_WAIT)).unwrap_or(0);
        let wait = Duration::from_millis(wait);
        Ok(event_id.map(|event_id| Self { event_id, wait, is_strict }))
    }
}

/// Reads a value from a parameter or its header. If both are present, both must be valid, and
/// the parameter wins.
fn read<T>(
    parameters: &mut Parameters,
    headers: &HeaderMap,
    (name, header): (&str, &str),
    parse: fn(&str) -> Result<T, Cow<'static, str>>,
) -> Option<T> {
    let by_header = headers.get(header).map(|value| {
        // A header that is not a string is refused like an empty one.
        parse(value.to_str().unwrap_or_default())
    });
    let by_header =
        by_header.and_then(|read| read.map_err(|message| parameters.refuse(header, message)).ok());
    parameters.optional(name, parse).or(by_header)
}

fn event_id(text: &str) -> Result<Uuid, Cow<'static, str>> {
    Uuid::try_parse(text).map_err(|_| "must be an event id, as X-Event-Id has it".into())
}

fn flag(text: &str) -> Result<bool, Cow<'static, str>> {
    text.parse().map_err(|_| "must be true or false".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    const ID: &str = "0190a000-0000-7000-8000-00000000002a";

    fn consistency(path: &str, headers: &[(&str, &str)]) -> Result<Option<Consistency>, Problem> {
        let request = Request::get(path);
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        Consistency::of(&request.body(Body::empty()).unwrap())
    }

    #[test]
    fn parameters_and_headers_are_equivalent_and_parameters_win() {
        let expected = Consistency {
            event_id: ID.parse().unwrap(),
            wait: Duration::from_millis(50),
            is_strict: true,
        };
        let all = [("x-after-event", ID), ("x-wait", "50"), ("x-strict", "true")];
        let path = format!("/api/products?after={ID}&wait=50&strict=true");
        assert_eq!(consistency(&path, &[]).unwrap(), Some(expected));
        assert_eq!(consistency("/api/products", &all).unwrap(), Some(expected));
        assert_eq!(consistency(&path, &[("x-wait", "70")]).unwrap(), Some(expected));
        let plain = consistency(&format!("/?after={ID}"), &[]).unwrap().unwrap();
        assert_eq!((plain.wait, plain.is_strict), (Duration::from_secs(1), false));
    }

    #[test]
    fn a_request_without_event_id_does_not_wait() {
        for path in ["/", "/api/products?wait=50", "/api/orders?limit=x&looks=after"] {
            assert_eq!(consistency(path, &[]).unwrap(), None, "{path}");
        }
        assert_eq!(consistency("/?wait=50", &[("x-strict", "true")]).unwrap(), None);
    }

    #[test]
    fn invalid_values_are_refused() {
        for query in [
            "after=",
            "after=7",
            "after=ID&wait=-1",
            "after=ID&wait=10001",
            "after=ID&strict=1",
            "wait=x",
            "strict=1",
        ] {
            let path = format!("/?{}", query.replace("ID", ID));
            assert!(consistency(&path, &[]).is_err(), "{query}");
        }
        let path = format!("/?after={ID}&wait=50&strict=true");
        for (header, value) in
            [("x-after-event", "7"), ("x-wait", "10001"), ("x-strict", ""), ("x-wait", "5é")]
        {
            assert!(consistency(&path, &[(header, value)]).is_err(), "{header}: {value}");
            assert!(consistency("/", &[(header, value)]).is_err(), "{header}: {value}");
        }
    }
}
