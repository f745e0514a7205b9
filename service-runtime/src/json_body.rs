//! Request bodies: JSON objects of which every member is checked, so that a
//! client learns of all that is wrong at once.

use crate::limits::{BODY_TIMEOUT, MAX_BODY_BYTES};
use crate::problem::{FieldError, Problem};
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use tokio::time::timeout;

/// The members of a JSON object, as text. Exact numbers stay exact.
pub type Members = BTreeMap<String, Box<RawValue>>;

/// A request's body, read whole.
#[derive(Debug)]
pub struct JsonBody(Bytes);

impl JsonBody {
    /// The bytes as they came.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The members of the object that the body is.
    ///
    /// # Errors
    /// 400 with the text `error` if the body is no JSON object.
    pub fn members(&self, error: &'static str) -> Result<Members, Problem> {
        serde_json::from_slice(&self.0).map_err(|cause| {
            Problem::bad_request(error).detail(format!("The body is not a JSON object: {cause}."))
        })
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let content_type = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let is_json = essence.eq_ignore_ascii_case("application/json")
            || (essence.starts_with("application/") && essence.ends_with("+json"));
        if !is_json {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type")
                .detail(
                    "Send the body as JSON, with the header `Content-Type: application/json`.",
                ));
        }
        match timeout(BODY_TIMEOUT, Bytes::from_request(request, state)).await {
            Ok(Ok(body)) => Ok(Self(body)),
            Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "Body too large")
                    .detail(format!("A body may have {MAX_BODY_BYTES} bytes.")))
            }
            Ok(Err(_)) => Err(Problem::bad_request("Unreadable body")
                .detail("The body ended early. The request had no effect.")),
            Err(_) => {
                Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "Body timed out").detail(format!(
                    "The body did not arrive within {} s. The request had no effect.",
                    BODY_TIMEOUT.as_secs()
                )))
            }
        }
    }
}

/// Reads the members of an object and notes what is wrong with them.
#[derive(Debug)]
pub struct Reader<'a> {
    members: &'a Members,
    path: String,
    errors: &'a mut Vec<FieldError>,
}

impl<'a> Reader<'a> {
    /// Reads `members`, which stand under `path` in the body (empty at the
    /// top), and adds to `errors`.
    pub fn new(members: &'a Members, path: String, errors: &'a mut Vec<FieldError>) -> Self {
        Self { members, path, errors }
    }

    /// Whether the member is there, null included.
    pub fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Reads a member that must be there: `parse` gets its JSON text and gives
    /// the value or what it must be.
    pub fn required<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Cow<'static, str>>,
    ) -> Option<T> {
        match self.members.get(name) {
            Some(value) => match parse(value.get()) {
                Ok(value) => return Some(value),
                Err(message) => self.refuse(name, message),
            },
            None => self.refuse(name, "is required"),
        }
        None
    }

    /// Reads a member that may be absent or null.
    pub fn optional<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, Cow<'static, str>>,
    ) -> Option<T> {
        let given = self.members.get(name).is_some_and(|value| value.get() != "null");
        if given { self.required(name, parse) } else { None }
    }

    /// Notes that something is wrong with a member.
    pub fn refuse(&mut self, name: &str, message: impl Into<Cow<'static, str>>) {
        let field = match (self.path.as_str(), name) {
            ("", name) => name.to_owned(),
            (path, "") => path.to_owned(),
            (path, name) => format!("{path}.{name}"),
        };
        self.errors.push(FieldError { field, message: message.into() });
    }
}

/// A whole number in `min..=max`, written as one: neither `1.0` nor `"1"`.
///
/// # Errors
/// What it must be.
pub fn integer(text: &str, min: i64, max: i64) -> Result<i64, Cow<'static, str>> {
    match text.parse() {
        Ok(number) if (min..=max).contains(&number) && !text.starts_with('+') => Ok(number),
        _ => Err(format!("must be a whole number from {min} to {max}").into()),
    }
}

/// A text.
///
/// # Errors
/// What it must be.
pub fn text(text: &str) -> Result<String, Cow<'static, str>> {
    serde_json::from_str(text).map_err(|_| "must be a text".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_whole_numbers_within_bounds() {
        assert_eq!(integer("7", 1, 10), Ok(7));
        for bad in ["0", "11", "+7", "1.0", "1e0", "\"7\"", "null", "-1", "99999999999999999999"] {
            assert!(integer(bad, 1, 10).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_fault_is_told_with_its_path() {
        let members: Members = serde_json::from_str(r#"{"a": "x", "c": null}"#).unwrap();
        let mut errors = Vec::new();
        let mut reader = Reader::new(&members, "items[2]".to_owned(), &mut errors);
        assert_eq!(reader.required("a", |t| integer(t, 1, 2)), None);
        assert_eq!(reader.required("b", text), None);
        assert_eq!(reader.optional("c", text), None);
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["items[2].a", "items[2].b"]);
    }
}
