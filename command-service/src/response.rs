//! Responses to accepted commands.

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use service_runtime::problem::Problem;
use uuid::Uuid;

/// The header with the id of the event.
const EVENT_ID: HeaderName = HeaderName::from_static("x-event-id");

/// The response to an accepted command, in a form that can be stored and returned again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandResponse {
    /// The status code.
    pub status: StatusCode,
    /// The event of the command; none if nothing changed.
    pub event_id: Option<Uuid>,
    /// The path of the created resource.
    pub location: Option<String>,
    /// JSON.
    pub body: String,
}

/// The response to a command, or its refusal.
pub type CommandResult = Result<CommandResponse, Problem>;

impl CommandResponse {
    /// 201 if a resource was created at `location`, else 200. The event is that of the change, if
    /// there was one.
    ///
    /// # Errors
    /// None in practice: every response has a JSON form.
    pub fn new(
        event_id: Option<Uuid>,
        location: Option<String>,
        resource: &impl Serialize,
    ) -> CommandResult {
        let status = if location.is_some() { StatusCode::CREATED } else { StatusCode::OK };
        let body = serde_json::to_string(resource).map_err(|error| Problem::internal(&error))?;
        Ok(Self { status, event_id, location, body })
    }
}

impl IntoResponse for CommandResponse {
    fn into_response(self) -> Response {
        let content_type = [(header::CONTENT_TYPE, "application/json")];
        let event_id = self.event_id.map(|id| [(EVENT_ID, id.to_string())]);
        let location = self.location.map(|path| [(header::LOCATION, path)]);
        (self.status, content_type, event_id, location, self.body).into_response()
    }
}
