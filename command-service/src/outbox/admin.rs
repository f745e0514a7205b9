//! The HTTP routes of replays, on the operations port.

use super::replay::{Progress, ReplayRange, Replays};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use service_runtime::format::{Message, string_schema};
use service_runtime::openapi::Time;
use service_runtime::parameters::{Parameters, StrictQuery};
use service_runtime::problem::Problem;
use service_runtime::server::ADMINISTRATION;
use service_runtime::{format_of, parameters, refusals};
use shared_events::Topic;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes for administrators.
pub fn routes() -> OpenApiRouter<Replays> {
    OpenApiRouter::default().routes(routes!(progress, start))
}

refusals! {
    /// Why there is no progress.
    NoReplay: no_replay()
}

fn no_replay() -> Problem {
    Problem::not_found("No replay").detail("No replay was started since the service started.")
}

/// Progress of the latest replay
#[utoipa::path(
    get,
    path = "/admin/replay",
    operation_id = "getReplay",
    tag = ADMINISTRATION,
    responses((status = 200, description = "The replay.", body = Progress), NoReplay)
)]
async fn progress(State(replays): State<Replays>) -> Result<Json<Progress>, Problem> {
    replays.progress().map(Json).ok_or_else(no_replay)
}

parameters! {
    /// The events to publish again.
    struct ReplayParameters {
        /// Only events committed at this time or later.
        from: Option<Time> = "2026-11-21",
        /// Only events committed before this time, which is after `from`.
        to: Option<Time> = "2026-11-22",
        /// Only events of this topic.
        topic: Option<TopicName>,
    }
    validate check_order(from, to);
}

format_of! {
    /// The name of a topic.
    TopicName: Topic, string, parse = topic,
        schema = string_schema("order-events").enum_values(Some(Topic::ALL.map(Topic::name)));
}

fn check_order(
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    parameters: &mut Parameters,
) {
    if let (Some(from), Some(to)) = (from, to)
        && to <= from
    {
        parameters.error("to", "must be after from");
    }
}

refusals! {
    /// Why no replay starts.
    NotStarted:
        Problem::bad_request("Invalid query parameters")
            .detail("A parameter is wrong or unknown; see `errors`."),
        replay_running(),
}

fn replay_running() -> Problem {
    Problem::new(StatusCode::CONFLICT, "Replay running").detail("Another replay is running.")
}

/// Publish events again
///
/// Consumers ignore the events that they already have.
#[utoipa::path(
    post,
    path = "/admin/replay",
    operation_id = "startReplay",
    tag = ADMINISTRATION,
    params(ReplayParameters),
    responses((status = 202, description = "The replay has started.", body = Progress), NotStarted)
)]
async fn start(
    State(replays): State<Replays>,
    // Ignoring a misspelt parameter would replay the whole history.
    StrictQuery(ReplayParameters { from, to, topic }): StrictQuery<ReplayParameters>,
) -> Result<(StatusCode, Json<Progress>), Problem> {
    let started = replays.start(ReplayRange { from, to, topic }).ok_or_else(replay_running)?;
    Ok((StatusCode::ACCEPTED, Json(started)))
}

fn topic(text: &str) -> Result<Topic, Message> {
    text.parse()
        .map_err(|_| format!("must be one of {}", Topic::ALL.map(Topic::name).join(", ")).into())
}
