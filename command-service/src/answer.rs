//! Answers to accepted commands.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use service_runtime::openapi::always;
use service_runtime::problem::Problem;
use utoipa::openapi::Header;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use uuid::Uuid;

/// The header that names the event of an accepted command.
const EVENT_ID: HeaderName = HeaderName::from_static("x-event-id");

/// The answer to an accepted command, in a form that can be kept and given again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The event that tells of the command; none if it changed nothing.
    pub event_id: Option<Uuid>,
    /// The path of what was created.
    pub location: Option<String>,
    /// JSON.
    pub body: String,
}

impl Answer {
    /// 201: something was created, to be found at `location`.
    ///
    /// # Errors
    /// None in practice: every answer has a JSON form.
    pub fn created(
        event_id: Uuid,
        location: String,
        body: &impl Serialize,
    ) -> Result<Self, Problem> {
        let answer = Self::changed(Some(event_id), body)?;
        Ok(Self { status: StatusCode::CREATED, location: Some(location), ..answer })
    }

    /// 200: something is now as was asked for, and an event tells of it if it was
    /// not before.
    ///
    /// # Errors
    /// None in practice: every answer has a JSON form.
    pub fn changed(event_id: Option<Uuid>, body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_string(body).map_err(|error| Problem::internal(&error))?;
        Ok(Self { status: StatusCode::OK, event_id, location: None, body })
    }
}

/// The header that names the event, as documents have it.
pub fn event_id_header(status: &str) -> Header {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
    HeaderBuilder::new()
        .schema(Some(schema))
        .description(Some(
            "The event that tells of the command; absent if it changed nothing. A query that \
             names it waits until the views show it.",
        ))
        .extensions(always().filter(|_| status == "201"))
        .example(Some("01a1fdec-19e5-7476-ab1e-c46314bd80d6".into()))
        .build()
}

/// The header `Location`, as documents have it.
pub fn location_header() -> Header {
    let schema = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^/api/"));
    HeaderBuilder::new()
        .schema(Some(schema))
        .description(Some("Where the query service has it; of an account, its user."))
        .example(Some("/api/products/1".into()))
        .extensions(always())
        .build()
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let event_id = self.event_id.and_then(|id| HeaderValue::try_from(id.to_string()).ok());
        headers.extend(event_id.map(|id| (EVENT_ID, id)));
        let location = self.location.and_then(|path| HeaderValue::try_from(path).ok());
        headers.extend(location.map(|path| (header::LOCATION, path)));
        response
    }
}
