//! Read your writes: `?after=<event id>`.
//!
//! An accepted command returns the id of its event in `X-Event-Id`. A query with this id
//! waits until the views show the event, for a bounded time. After that the response is
//! marked as stale.

use crate::event_waiting::{EventState, EventWaiting};
use crate::metrics::{READ_YOUR_WRITES, READ_YOUR_WRITES_WAIT, Wait};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use service_runtime::format::{
    Message, boolean, boolean_schema, integer, integer_schema, string_schema,
};
use service_runtime::parameters::{Parameters, QueryParameters};
use service_runtime::problem::Problem;
use service_runtime::request_metrics::HeldBack;
use service_runtime::{format_of, parameters};
use std::borrow::Cow;
use std::time::Duration;
use tokio::time::Instant;
use utoipa::IntoParams;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, SchemaFormat};
use uuid::Uuid;

/// Maximum wait, in milliseconds: less than the request timeout.
const MAX_WAIT: i64 = 10_000;

/// Default wait, in milliseconds.
const DEFAULT_WAIT: u64 = 1_000;

/// Marks a response that does not show the event.
const STALE: HeaderName = HeaderName::from_static("x-stale");

/// Parameters, and the headers with the same meaning.
const HEADERS: [(&str, &str); 3] =
    [("after", "X-After-Event"), ("wait", "X-Wait"), ("strict", "X-Strict")];

parameters! {
    /// The event that the response must show, as sent.
    struct ConsistencyParameters {
        /// Wait until the views show this event: the `X-Event-Id` of a command.
        after: Option<EventId>,
        /// Maximum wait in milliseconds.
        wait: Option<Milliseconds>,
        /// Return 504 instead of a response that does not show the event.
        strict: Option<Flag>,
    }
}

format_of! {
    /// An event id.
    EventId: Uuid, string, parse = event_id,
        schema = string_schema("01a1fdec-19e5-7476-ab1e-c46314bd80d6")
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));

    /// A wait in milliseconds.
    Milliseconds: u64, literal, parse = |text| integer(text, 0, MAX_WAIT),
        schema = integer_schema(0, MAX_WAIT, 1000).default(Some(DEFAULT_WAIT.into()));

    /// True or false.
    Flag: bool, literal, parse = boolean, schema = boolean_schema(true).default(Some(false.into()));
}

/// The event that the response must show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Consistency {
    event_id: Uuid,
    wait: Duration,
    /// Whether a stale response is refused.
    is_strict: bool,
}

/// Delays a query that names an event until the views show it.
pub async fn wait(State(arrivals): State<EventWaiting>, request: Request, next: Next) -> Response {
    let consistency = match Consistency::of(&request) {
        Ok(Some(consistency)) => consistency,
        Ok(None) => return next.run(request).await,
        Err(problem) => return problem.into_response(),
    };
    let began = Instant::now();
    let arrival = arrivals.wait(consistency.event_id, began + consistency.wait).await;
    let held_back = began.elapsed();
    READ_YOUR_WRITES_WAIT.record(held_back.as_secs_f64());
    let (result, refusal) = match arrival {
        Err(problem) => (Wait::Failed, Some(problem)),
        Ok(EventState::Applied) => (Wait::Shown, None),
        Ok(state) if consistency.is_strict => (Wait::Refused, Some(not_shown(consistency, state))),
        Ok(EventState::DeadLetter | EventState::Pending) => (Wait::Stale, None),
    };
    READ_YOUR_WRITES.of(result).increment(1);
    let mut response = match refusal {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    };
    if result == Wait::Stale {
        response.headers_mut().insert(STALE, HeaderValue::from_static("true"));
    }
    response.extensions_mut().insert(HeldBack(held_back));
    response
}

fn not_shown(Consistency { event_id, wait, .. }: Consistency, arrival: EventState) -> Problem {
    not_visible(match arrival {
        EventState::DeadLetter => format!(
            "Event {event_id} could not be applied and is a dead letter. Contact the operator."
        ),
        EventState::Applied | EventState::Pending => {
            format!("The views do not show event {event_id} after {} ms. Retry.", wait.as_millis())
        }
    })
}

impl Consistency {
    /// Reads parameters and headers; none if neither names an event. A parameter has
    /// precedence over its header, but both must be valid.
    ///
    /// # Errors
    /// 400 with everything that is wrong.
    fn of(request: &Request) -> Result<Option<Self>, Problem> {
        let headers = request.headers();
        let query = request.uri().query().unwrap_or_default();
        // Most requests have none of them and skip the parsing.
        let is_present = |(parameter, header): &(&str, &str)| {
            query.contains(parameter) || headers.contains_key(*header)
        };
        if !HEADERS.iter().any(is_present) {
            return Ok(None);
        }
        // An invalid text is as invalid as an empty one.
        let values = HEADERS.iter().filter_map(|(parameter, header)| {
            let text = headers.get(*header)?.to_str().unwrap_or_default();
            Some(((*parameter).to_owned(), text.to_owned()))
        });
        let mut by_header = Parameters::new(values.collect());
        let mut parameters = Parameters::of(request.uri())?;
        let from_headers = ConsistencyParameters::read(&mut by_header);
        for error in by_header.errors() {
            let header = HEADERS.iter().find(|(parameter, _)| *parameter == error.field);
            let header = header.map_or("", |(_, header)| header).to_ascii_lowercase();
            parameters.error(&header, error.message.clone());
        }
        let given: ConsistencyParameters = parameters.parse()?;
        let Some(from_headers) = from_headers else { return Ok(None) };
        let wait = given.wait.or(from_headers.wait).unwrap_or(DEFAULT_WAIT);
        let is_strict = given.strict.or(from_headers.strict).unwrap_or(false);
        Ok(given.after.or(from_headers.after).map(|event_id| Self {
            event_id,
            wait: Duration::from_millis(wait),
            is_strict,
        }))
    }
}

/// The descriptions of the parameters and of the headers.
pub fn parameters() -> impl Iterator<Item = RefOr<Parameter>> {
    let parameters = ConsistencyParameters::into_params(|| None);
    let headers = parameters.clone().into_iter().filter_map(|mut parameter| {
        let (name, header) = HEADERS.iter().find(|(name, _)| *name == parameter.name)?;
        parameter.description = Some(format!("The same as `{name}`."));
        parameter.name = (*header).to_owned();
        parameter.parameter_in = ParameterIn::Header;
        Some(parameter)
    });
    parameters.into_iter().chain(headers.collect::<Vec<_>>()).map(RefOr::T)
}

/// The response of a strict query whose event the views do not show.
pub fn not_visible(detail: impl Into<Cow<'static, str>>) -> Problem {
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "Not visible yet").detail(detail)
}

fn event_id(text: &str) -> Result<Uuid, Message> {
    Uuid::try_parse(text).map_err(|_| "must be an event id, as in X-Event-Id".into())
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
    fn parameters_have_precedence_over_headers() {
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
    fn a_query_without_an_event_does_not_wait() {
        for path in ["/", "/api/products?wait=50", "/api/orders?limit=x&looks=after"] {
            assert_eq!(consistency(path, &[]).unwrap(), None, "{path}");
        }
        assert_eq!(consistency("/?wait=50", &[("x-strict", "true")]).unwrap(), None);
    }

    #[test]
    fn invalid_parameters_and_headers_are_refused() {
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
