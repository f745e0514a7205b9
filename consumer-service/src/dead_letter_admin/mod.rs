//! Administration of dead letters over HTTP, on the operations port.

mod redrive;

use crate::commit_notifier::CommitNotifier;
use crate::metrics::DISCARDED;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use redrive::Outcome;
use serde::Serialize;
use service_runtime::format::{boolean, boolean_schema};
use service_runtime::openapi::Id;
use service_runtime::paging::{self, Page};
use service_runtime::parameters::{Query, StrictQuery};
use service_runtime::path::Segment;
use service_runtime::problem::Problem;
use service_runtime::server::ADMINISTRATION;
use service_runtime::{format_of, parameters, refusals, trace};
use sqlx::PgPool;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// The state of the handlers.
#[derive(Clone, Debug)]
pub struct AdminState {
    pub pool: PgPool,
    pub notifier: CommitNotifier,
}

/// The routes for administrators.
pub fn routes() -> OpenApiRouter<AdminState> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(show, discard))
        .routes(routes!(redrive_one))
}

/// A dead letter, without its body.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeadLetterSummary)]
struct Summary {
    #[schema(value_type = Id)]
    id: i64,
    /// Null if the message has none.
    #[schema(required = true, examples("01a1fdec-19e5-7476-ab1e-c46314bd80d6"))]
    event_id: Option<Uuid>,
    /// The queue that delivered the message.
    #[schema(examples("order-events"))]
    queue: String,
    /// Why the event was not applied, and what to do.
    #[schema(examples("customerId: is required"))]
    reason: String,
    /// Whether the message came from the outbox of the command service.
    #[schema(examples(false))]
    ours: bool,
    /// Size of the original body.
    #[schema(examples(120))]
    bytes: i64,
    /// When the message was stored as a dead letter.
    #[schema(examples("2026-11-21T11:44:31.230906Z"))]
    parked_at: DateTime<Utc>,
}

/// A dead letter with its body.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeadLetter)]
struct Whole {
    #[serde(flatten)]
    summary: Summary,
    /// The AMQP message id.
    #[schema(required = true, examples("01a1fdec-19e5-7476-ab1e-c46314bd80d6"))]
    message_id: Option<String>,
    /// The timestamp in the message.
    #[schema(required = true, examples("2026-11-21T11:44:31Z"))]
    sent_at: Option<DateTime<Utc>>,
    /// The body, or the beginning of a body that was too large; absent if it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples(r#"{"eventType":"OrderCreated"}"#))]
    body: Option<String>,
    /// The body in hexadecimal, if it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("ff00"))]
    body_hex: Option<String>,
    /// The AMQP property section in hexadecimal, if it is malformed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("ffff"))]
    properties_hex: Option<String>,
}

/// The outcome of an operation on a dead letter.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetterOutcome)]
struct Done {
    #[schema(value_type = Id)]
    id: i64,
    /// `applied`, `had been applied already` or `discarded`.
    #[schema(examples("applied"))]
    outcome: &'static str,
}

refusals! {
    /// Why there is no list.
    NoList: Problem::bad_request("Invalid query parameters")
        .detail("A parameter is wrong; see `errors`.");

    /// Why there is no dead letter.
    NotFound:
        Problem::bad_request("Invalid dead letter id").detail("The id in the path is not valid."),
        Problem::not_found("Dead letter not found").detail("There is no such dead letter.");

    /// Why an event is not applied.
    NotApplied:
        Problem::bad_request("Invalid dead letter id").detail("The id in the path is not valid."),
        Problem::bad_request("Invalid query parameters")
            .detail("A parameter is wrong or unknown; see `errors`."),
        Problem::not_found("Dead letter not found").detail("There is no such dead letter."),
        Problem::new(StatusCode::CONFLICT, "Not applicable")
            .detail("The event still cannot be applied; `detail` has the reason."),
}

/// List dead letters
#[utoipa::path(
    get,
    path = "/admin/dead-letters",
    operation_id = "listDeadLetters",
    tag = ADMINISTRATION,
    params(Page),
    responses((status = 200, description = "A page of dead letters.", body = Vec<Summary>), NoList)
)]
async fn list(
    State(state): State<AdminState>,
    Query(page): Query<Page>,
) -> Result<Response, Problem> {
    let rows = sqlx::query_as!(
        Summary,
        r#"SELECT id, event_id, queue, reason, ours, parked_at,
                  coalesce(body_bytes, length(body)) AS "bytes!"
           FROM dead_letters
           WHERE CASE WHEN $1 THEN id <= $2 ELSE id >= $2 END
           ORDER BY CASE WHEN $1 THEN -id ELSE id END
           LIMIT $3"#,
        page.descending(),
        page.first_id(),
        page.limit + 1,
    )
    .fetch_all(&state.pool)
    .await?;
    Ok(paging::page(rows, page.limit, |letter| letter.id))
}

/// Retrieve a dead letter
#[utoipa::path(
    get,
    path = "/admin/dead-letters/{id}",
    operation_id = "getDeadLetter",
    tag = ADMINISTRATION,
    params(("id" = Id, Path, description = "The dead letter.", example = 1)),
    responses((status = 200, description = "The dead letter.", body = Whole), NotFound)
)]
async fn show(State(state): State<AdminState>, id: Segment) -> Result<Json<Whole>, Problem> {
    let id = id.id("Invalid dead letter id")?;
    let row = sqlx::query!(
        r#"SELECT event_id, queue, reason, ours, parked_at, message_id, sent_at, body, properties,
                  coalesce(body_bytes, length(body)) AS "bytes!"
           FROM dead_letters
           WHERE id = $1"#,
        id,
    )
    .fetch_optional(&state.pool)
    .await?
    .ok_or_else(|| not_found(id))?;
    let (body, body_hex) = match String::from_utf8(row.body) {
        Ok(text) => (Some(text), None),
        Err(no_text) => (None, Some(hex::encode(no_text.as_bytes()))),
    };
    let summary = Summary {
        id,
        event_id: row.event_id,
        queue: row.queue,
        reason: row.reason,
        ours: row.ours,
        bytes: row.bytes,
        parked_at: row.parked_at,
    };
    let (message_id, sent_at) = (row.message_id, row.sent_at);
    let properties_hex = row.properties.map(hex::encode);
    Ok(Json(Whole { summary, message_id, sent_at, body, body_hex, properties_hex }))
}

parameters! {
    /// How to apply the event of a dead letter.
    struct RedriveParameters {
        /// Apply an event that is older than the deduplication records.
        anyway: Anyway,
    }
}

format_of! {
    /// Whether to apply an old event.
    Anyway: bool, literal, parse = boolean, schema = boolean_schema(false), default = false;
}

/// Apply the event of a dead letter
#[utoipa::path(
    post,
    path = "/admin/dead-letters/{id}/redrive",
    operation_id = "redriveDeadLetter",
    tag = ADMINISTRATION,
    params(
        ("id" = Id, Path, description = "The dead letter.", example = 1),
        RedriveParameters,
    ),
    responses((status = 200, description = "The outcome.", body = Done), NotApplied)
)]
async fn redrive_one(
    State(state): State<AdminState>,
    id: Segment,
    StrictQuery(RedriveParameters { anyway }): StrictQuery<RedriveParameters>,
) -> Result<Json<Done>, Problem> {
    let id = id.id("Invalid dead letter id")?;
    let pool = state.pool.clone();
    // In a task of its own, which completes when the client disconnects.
    let redriving = trace::spawn(async move { redrive::redrive(&pool, id, anyway).await });
    let outcome = match redriving.await.map_err(|_| Problem::internal(&"redriving panicked"))?? {
        Outcome::NotFound => return Err(not_found(id)),
        Outcome::Refused(reason) => {
            return Err(Problem::new(StatusCode::CONFLICT, "Not applicable").detail(reason));
        }
        Outcome::Applied => "applied",
        Outcome::KnownAlready => "had been applied already",
    };
    state.notifier.notify();
    tracing::info!("dead letter {id}: {outcome}");
    Ok(Json(Done { id, outcome }))
}

/// Delete a dead letter
#[utoipa::path(
    delete,
    path = "/admin/dead-letters/{id}",
    operation_id = "deleteDeadLetter",
    tag = ADMINISTRATION,
    params(("id" = Id, Path, description = "The dead letter.", example = 1)),
    responses((status = 200, description = "The outcome.", body = Done), NotFound)
)]
async fn discard(State(state): State<AdminState>, id: Segment) -> Result<Json<Done>, Problem> {
    let id = id.id("Invalid dead letter id")?;
    // Without BEGIN, so that no transaction stays open when the client disconnects.
    let deleted = sqlx::query!("DELETE FROM dead_letters WHERE id = $1", id)
        .execute(&state.pool)
        .await?
        .rows_affected();
    if deleted == 0 {
        return Err(not_found(id));
    }
    DISCARDED.increment(1);
    tracing::info!("dead letter {id}: discarded");
    Ok(Json(Done { id, outcome: "discarded" }))
}

fn not_found(id: i64) -> Problem {
    Problem::not_found("Dead letter not found").detail(format!("There is no dead letter {id}."))
}
