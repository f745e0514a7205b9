//! The HTTP routes of replays, on the operations port.

use super::replay::{Progress, ReplayRange, Replays};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use service_runtime::openapi::Time;
use service_runtime::parameters::{Parameters, time};
use service_runtime::problem::Problem;
use service_runtime::refusals;
use service_runtime::server::ADMINISTRATION;
use shared_events::Topic;
use std::borrow::Cow;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes for administrators.
pub fn routes() -> OpenApiRouter<Replays> {
    OpenApiRouter::default().routes(routes!(progress, start))
}

refusals! {
    /// Why there is no progress.
    NoReplay: Problem::not_found("No replay")
        .detail("No replay was started since the service started."),
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
    replays.progress().map(Json).ok_or_else(|| {
        Problem::not_found("No replay").detail("No replay was started since the service started.")
    })
}

/// Which events to publish again.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read as a ReplayRange")]
struct ReplayParameters {
    /// Only events committed at this time or later.
    #[param(value_type = Time, inline, required = false, example = "2026-11-21")]
    from: Option<String>,
    /// Only events committed before this time, which is after `from`.
    #[param(value_type = Time, inline, required = false, example = "2026-11-22")]
    to: Option<String>,
    /// Only events of this topic.
    #[param(value_type = Topic, required = false, example = "order-events")]
    topic: Option<String>,
}

refusals! {
    /// Why no replay starts.
    NotStarted:
        Problem::bad_request("Invalid query parameters")
            .detail("A parameter is wrong or unknown; see `errors`."),
        Problem::new(StatusCode::CONFLICT, "Replay running").detail("Another replay is running."),
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
    mut parameters: Parameters,
) -> Result<(StatusCode, Json<Progress>), Problem> {
    // A misspelt filter would replay the whole history.
    parameters.refuse_others(&["from", "to", "topic"]);
    let from = parameters.optional("from", time);
    let to = parameters.optional("to", time);
    let topic = parameters.optional("topic", topic);
    if let (Some(from), Some(to)) = (from, to)
        && to <= from
    {
        parameters.refuse("to", "must be after from");
    }
    parameters.check()?;
    match replays.start(ReplayRange { from, to, topic }) {
        Ok(started) => Ok((StatusCode::ACCEPTED, Json(started))),
        Err(_) => Err(Problem::new(StatusCode::CONFLICT, "Replay running")
            .detail("Another replay is running.")),
    }
}

fn topic(text: &str) -> Result<Topic, Cow<'static, str>> {
    text.parse()
        .map_err(|_| format!("must be one of {}", Topic::ALL.map(Topic::name).join(", ")).into())
}
