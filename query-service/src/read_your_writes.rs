//! Answers that show what the client has done: `?after=<event id>`.
//!
//! An accepted command names its event in `X-Event-Id`. A query that names it waits
//! until the views show it, for a bounded time; past that the answer says that it is
//! stale.

use crate::arrivals::{Arrival, Arrivals};
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

/// Longest wait, in milliseconds: less than any request may take.
const MAX_WAIT: i64 = 10_000;

/// The wait, in milliseconds, unless the client says another.
const DEFAULT_WAIT: i64 = 1_000;

/// Says that the answer does not show the event that was asked for.
const STALE: HeaderName = HeaderName::from_static("x-stale");

/// Parameters, and the headers that stand in for them.
const AFTER: (&str, &str) = ("after", "x-after-event");
const WAIT: (&str, &str) = ("wait", "x-wait");
const STRICT: (&str, &str) = ("strict", "x-strict");

/// What a client wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wish {
    event_id: Uuid,
    wait: Duration,
    /// Rather no answer than one that does not show it.
    is_strict: bool,
}

/// Has a query that names an event wait for it.
pub async fn wait(State(arrivals): State<Arrivals>, request: Request, next: Next) -> Response {
    let wish = match Wish::of(&request) {
        Ok(Some(wish)) => wish,
        Ok(None) => return next.run(request).await,
        Err(problem) => return problem.into_response(),
    };
    let began = Instant::now();
    let arrival = arrivals.wait(wish.event_id, began + wish.wait).await;
    let held_back = began.elapsed();
    READ_YOUR_WRITES_WAIT.record(held_back.as_secs_f64());
    READ_YOUR_WRITES.add_to(result(&arrival, wish), 1);
    let mut response = match arrival {
        Err(problem) => problem.into_response(),
        Ok(Arrival::Shown) => next.run(request).await,
        Ok(arrival) if wish.is_strict => not_shown(wish, arrival).into_response(),
        Ok(Arrival::Parked | Arrival::Awaited) => {
            let mut response = next.run(request).await;
            response.headers_mut().insert(STALE, HeaderValue::from_static("true"));
            response
        }
    };
    response.extensions_mut().insert(HeldBack(held_back));
    response
}

/// What a wait came to, as the metric has it.
fn result(arrival: &Result<Arrival, Problem>, wish: Wish) -> Wait {
    match arrival {
        Err(_) => Wait::Failed,
        Ok(Arrival::Shown) => Wait::Shown,
        Ok(_) if wish.is_strict => Wait::Refused,
        Ok(Arrival::Parked | Arrival::Awaited) => Wait::Stale,
    }
}

fn not_shown(Wish { event_id, wait, .. }: Wish, arrival: Arrival) -> Problem {
    let detail = match arrival {
        Arrival::Parked => format!(
            "Event {event_id} could not be applied and is a dead letter: tell the operator."
        ),
        Arrival::Shown | Arrival::Awaited => format!(
            "Event {event_id} is not in the views after {} ms. Ask again.",
            wait.as_millis()
        ),
    };
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "Not visible yet").detail(detail)
}

impl Wish {
    /// What a request says; none if it names no event.
    ///
    /// # Errors
    /// 400, with everything that is wrong.
    fn of(request: &Request) -> Result<Option<Self>, Problem> {
        let headers = request.headers();
        let query = request.uri().query().unwrap_or_default();
        // Most requests have none, and pay no more than that.
        let is_there = |(parameter, header): (&str, &str)| {
            query.contains(parameter) || headers.contains_key(header)
        };
        if ![AFTER, WAIT, STRICT].into_iter().any(is_there) {
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

/// Reads what may be given by a parameter, by a header, or by both: then the parameter
/// wins, but the header must make sense, too.
fn read<T>(
    parameters: &mut Parameters,
    headers: &HeaderMap,
    (name, header): (&str, &str),
    parse: fn(&str) -> Result<T, Cow<'static, str>>,
) -> Option<T> {
    let by_header = headers.get(header).map(|value| {
        // One that is no text is none of the texts that it could be.
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

    fn wish(path: &str, headers: &[(&str, &str)]) -> Result<Option<Wish>, Problem> {
        let request = Request::get(path);
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        Wish::of(&request.body(Body::empty()).unwrap())
    }

    #[test]
    fn parameters_and_headers_mean_the_same_and_parameters_win() {
        let expected = Wish {
            event_id: ID.parse().unwrap(),
            wait: Duration::from_millis(50),
            is_strict: true,
        };
        let all = [("x-after-event", ID), ("x-wait", "50"), ("x-strict", "true")];
        let path = format!("/api/products?after={ID}&wait=50&strict=true");
        assert_eq!(wish(&path, &[]).unwrap(), Some(expected));
        assert_eq!(wish("/api/products", &all).unwrap(), Some(expected));
        assert_eq!(wish(&path, &[("x-wait", "70")]).unwrap(), Some(expected));
        let plain = wish(&format!("/?after={ID}"), &[]).unwrap().unwrap();
        assert_eq!((plain.wait, plain.is_strict), (Duration::from_secs(1), false));
    }

    #[test]
    fn whoever_names_no_event_waits_for_none() {
        for path in ["/", "/api/products?wait=50", "/api/orders?limit=x&looks=after"] {
            assert_eq!(wish(path, &[]).unwrap(), None, "{path}");
        }
        assert_eq!(wish("/?wait=50", &[("x-strict", "true")]).unwrap(), None);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
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
            assert!(wish(&path, &[]).is_err(), "{query}");
        }
        let path = format!("/?after={ID}&wait=50&strict=true");
        for (header, value) in
            [("x-after-event", "7"), ("x-wait", "10001"), ("x-strict", ""), ("x-wait", "5é")]
        {
            assert!(wish(&path, &[(header, value)]).is_err(), "{header}: {value}");
            assert!(wish("/", &[(header, value)]).is_err(), "{header}: {value}");
        }
    }
}
