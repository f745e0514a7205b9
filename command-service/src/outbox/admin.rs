//! Replays over HTTP, on the operations port.

use super::replay::{Progress, Replays, Stretch};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use service_runtime::parameters::{Parameters, time};
use service_runtime::problem::Problem;
use shared_events::Topic;
use std::borrow::Cow;

/// `/admin/replay`
pub fn routes(replays: Replays) -> Router {
    Router::new().route("/admin/replay", get(progress).post(begin)).with_state(replays)
}

/// `GET /admin/replay`: how far the last one has come.
async fn progress(State(replays): State<Replays>) -> Result<Json<Progress>, Problem> {
    replays.progress().map(Json).ok_or_else(|| {
        Problem::not_found("No replay").detail("None was begun since the service was started.")
    })
}

/// `POST /admin/replay?from=…&to=…&topic=…`: publishes that stretch again.
async fn begin(
    State(replays): State<Replays>,
    mut parameters: Parameters,
) -> Result<(StatusCode, Json<Progress>), Problem> {
    // Misspelt, it would be the whole history.
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
    match replays.begin(Stretch { from, to, topic }) {
        Ok(begun) => Ok((StatusCode::ACCEPTED, Json(begun))),
        Err(_) => Err(Problem::new(StatusCode::CONFLICT, "Replay running")
            .detail("Another one is running: see GET /admin/replay. Wait until it is done.")),
    }
}

fn topic(text: &str) -> Result<Topic, Cow<'static, str>> {
    Topic::from_name(text)
        .ok_or_else(|| format!("must be one of {}", Topic::ALL.map(Topic::name).join(", ")).into())
}
