//! Dead letters over HTTP, on the operations port.

use super::redrive::{self, Outcome};
use crate::announcement::Announcer;
use crate::metrics::DISCARDED;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use serde::Serialize;
use service_runtime::paging::{self, PageOfIds};
use service_runtime::parameters::Parameters;
use service_runtime::path::Segment;
use service_runtime::problem::Problem;
use service_runtime::trace;
use sqlx::PgPool;
use uuid::Uuid;

/// What handlers need.
#[derive(Clone, Debug)]
struct Letters {
    pool: PgPool,
    announcer: Announcer,
}

/// `/admin/dead-letters`
pub fn routes(pool: PgPool, announcer: Announcer) -> Router {
    Router::new()
        .route("/admin/dead-letters", get(list))
        .route("/admin/dead-letters/{id}", get(show).delete(discard))
        .route("/admin/dead-letters/{id}/redrive", post(redrive_one))
        .with_state(Letters { pool, announcer })
}

/// A letter, in a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    id: i64,
    /// None: the bytes do not tell.
    event_id: Option<Uuid>,
    queue: String,
    /// What is wrong, and what to do.
    reason: String,
    /// Whether it came from our own outbox.
    ours: bool,
    /// Original length of the body.
    bytes: i64,
    parked_at: DateTime<Utc>,
}

/// A letter with its bytes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Whole {
    #[serde(flatten)]
    summary: Summary,
    message_id: Option<String>,
    /// The time that the message said.
    sent_at: Option<DateTime<Utc>>,
    /// The body, or the beginning of one that was too large; absent if it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// The body in hexadecimal, if it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_hex: Option<String>,
    /// The AMQP property section in hexadecimal, if it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    properties_hex: Option<String>,
}

/// What became of a letter.
#[derive(Debug, Serialize)]
struct Done {
    id: i64,
    outcome: &'static str,
}

/// `GET /admin/dead-letters`: a page, by ascending id.
async fn list(
    State(letters): State<Letters>,
    mut parameters: Parameters,
) -> Result<Response, Problem> {
    let page = PageOfIds::read(&mut parameters);
    parameters.check()?;
    let rows = sqlx::query_as!(
        Summary,
        r#"SELECT id, event_id, queue, reason, ours, parked_at,
                  coalesce(body_bytes, length(body)) AS "bytes!"
           FROM dead_letters
           WHERE CASE WHEN $1 THEN id <= $2 ELSE id >= $2 END
           ORDER BY CASE WHEN $1 THEN -id ELSE id END
           LIMIT $3"#,
        page.descending,
        page.from,
        page.limit + 1,
    )
    .fetch_all(&letters.pool)
    .await?;
    Ok(paging::page(rows, page.limit, |letter| letter.id))
}

/// `GET /admin/dead-letters/{id}`
async fn show(State(letters): State<Letters>, id: Segment) -> Result<Json<Whole>, Problem> {
    let id = id.id("Invalid dead letter id")?;
    let row = sqlx::query!(
        r#"SELECT event_id, queue, reason, ours, parked_at, message_id, sent_at, body, properties,
                  coalesce(body_bytes, length(body)) AS "bytes!"
           FROM dead_letters
           WHERE id = $1"#,
        id,
    )
    .fetch_optional(&letters.pool)
    .await?
    .ok_or_else(|| not_found(id))?;
    let (body, body_hex) = match String::from_utf8(row.body) {
        Ok(text) => (Some(text), None),
        Err(no_text) => (None, Some(hex(no_text.as_bytes()))),
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
    let properties_hex = row.properties.as_deref().map(hex);
    Ok(Json(Whole { summary, message_id, sent_at, body, body_hex, properties_hex }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `POST /admin/dead-letters/{id}/redrive`, with `anyway=true` for one that is older
/// than the memory of processed events.
async fn redrive_one(
    State(letters): State<Letters>,
    id: Segment,
    mut parameters: Parameters,
) -> Result<Json<Done>, Problem> {
    let id = id.id("Invalid dead letter id")?;
    parameters.refuse_others(&["anyway"]);
    let anyway = parameters
        .optional("anyway", |text| text.parse().map_err(|_| "must be true or false".into()))
        .unwrap_or(false);
    parameters.check()?;
    let pool = letters.pool.clone();
    // In a task of its own, so that it goes on to its end when the client leaves.
    let redriving = trace::spawn(async move { redrive::redrive(&pool, id, anyway).await });
    let outcome = match redriving.await.map_err(|_| Problem::internal(&"redriving panicked"))?? {
        Outcome::NotFound => return Err(not_found(id)),
        Outcome::Refused(reason) => {
            return Err(Problem::new(StatusCode::CONFLICT, "Not applicable").detail(reason));
        }
        Outcome::Applied => "applied",
        Outcome::KnownAlready => "had been applied already",
    };
    letters.announcer.announce();
    tracing::info!("dead letter {id}: {outcome}");
    Ok(Json(Done { id, outcome }))
}

/// `DELETE /admin/dead-letters/{id}`
async fn discard(State(letters): State<Letters>, id: Segment) -> Result<Json<Done>, Problem> {
    let id = id.id("Invalid dead letter id")?;
    // Without BEGIN, so that nothing is left open if the client leaves.
    let deleted = sqlx::query!("DELETE FROM dead_letters WHERE id = $1", id)
        .execute(&letters.pool)
        .await?
        .rows_affected();
    if deleted == 0 {
        return Err(not_found(id));
    }
    DISCARDED.add(1);
    tracing::info!("dead letter {id}: discarded");
    Ok(Json(Done { id, outcome: "discarded" }))
}

fn not_found(id: i64) -> Problem {
    Problem::not_found("Dead letter not found").detail(format!("There is no dead letter {id}."))
}
