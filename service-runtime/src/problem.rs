//! Error responses: RFC 9457 problem details with an additional `error` text that clients
//! compare.

use crate::log_limit::LogLimit;
use crate::metrics::service::INTERNAL_ERRORS;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::NonZero;
use std::panic::Location;
use tracing::error;
use utoipa::ToSchema;

/// Limits log lines about bugs.
static LOGGED: LogLimit = LogLimit::new();

/// An error, as in RFC 9457. Some errors have further fields. The types of fields are small,
/// because most results contain a problem.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// The fixed text that identifies the error.
    #[schema(examples("Not found"))]
    error: &'static str,
    /// A URI that identifies the error.
    #[serde(rename = "type")]
    #[schema(examples("urn:problem:not-found"))]
    kind: Box<str>,
    /// The same as `error`.
    #[schema(examples("Not found"))]
    title: &'static str,
    /// The status code.
    #[schema(minimum = 400, maximum = 599, examples(404))]
    status: u16,
    /// What happened and what to do next, for humans.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, examples("The path does not exist."))]
    detail: Option<Cow<'static, str>>,
    /// The invalid fields, if any.
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    #[schema(value_type = Vec<FieldError>, examples(json!([{"field": "price", "message": "is required"}])))]
    errors: Box<[FieldError]>,
    #[serde(flatten)]
    #[schema(ignore)]
    extensions: BTreeMap<&'static str, Value>,
    #[serde(skip)]
    retry_after: Option<NonZero<u32>>,
}

/// The `error` of a response, stored in its extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ErrorText(pub &'static str);

/// An invalid field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Path of the field, such as `items[0].quantity`.
    #[schema(examples("items[0].quantity"))]
    pub field: String,
    /// What it must be.
    #[schema(examples("is required"))]
    pub message: Cow<'static, str>,
}

impl Problem {
    /// An error response identified by `error`.
    pub fn new(status: StatusCode, error: &'static str) -> Self {
        let slug = error.to_ascii_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        Self {
            error,
            kind: format!("urn:problem:{slug}").into(),
            title: error,
            status: status.as_u16(),
            detail: None,
            errors: Box::default(),
            extensions: BTreeMap::new(),
            retry_after: None,
        }
    }

    /// 400.
    pub fn bad_request(error: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    /// 404.
    pub fn not_found(error: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }

    /// 503, with `Retry-After: 1`.
    pub fn unavailable(error: &'static str) -> Self {
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, error);
        Self { retry_after: Some(NonZero::<u32>::MIN), ..problem }
    }

    /// 404 to an unknown path.
    pub(crate) fn no_path() -> Self {
        Self::not_found("Not found").detail("The path does not exist.")
    }

    /// 503: the service is stopping.
    pub fn stopping() -> Self {
        Self::unavailable("Service unavailable").detail("The service is stopping.")
    }

    /// Sets `Retry-After`, in seconds.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = NonZero::new(seconds);
        self
    }

    /// 500: a bug. The cause is logged, at most once per caller of this function in [10
    /// s](crate::log_limit::INTERVAL), and not returned.
    #[track_caller]
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        Self::fault(&Location::caller().to_string(), cause)
    }

    /// The same, but limits log lines by key.
    pub(crate) fn fault(key: &str, cause: &dyn std::fmt::Display) -> Self {
        if let Some(suppressed) = LOGGED.admit(key) {
            error!(suppressed, "internal error: {cause}");
        }
        INTERNAL_ERRORS.increment(1);
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal error")
            .detail("The request failed because of an error in the service, which was logged.")
    }

    /// Sets what happened and what to do next.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Sets the invalid fields.
    #[must_use]
    pub fn fields(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors.into();
        self
    }

    /// Adds a field to the body.
    #[must_use]
    pub fn extension(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.extensions.insert(name, value.into());
        self
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(&self)).into_response();
        response.extensions_mut().insert(ErrorText(self.error));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.get().into());
        }
        response
    }
}
