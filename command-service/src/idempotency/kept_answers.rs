//! Answers that are kept, in the table `idempotency_keys`.

use super::Key;
use crate::answer::Answer;
use axum::http::StatusCode;
use serde::Serialize;
use service_runtime::problem::Problem;
use sqlx::PgPool;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How often old answers are looked for. They are kept for a day, and until then.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);

/// Most answers that are deleted by one statement, so that it is a short one.
const FORGET_BATCH: i64 = 5_000;

/// An answer to be kept, in the form in which statements take it: as a member of a
/// JSON array.
#[derive(Debug, Serialize)]
pub struct KeptAnswer<'a> {
    scope: &'a str,
    caller: &'a str,
    key: &'a str,
    /// Hexadecimal.
    body_sha256: String,
    status: u16,
    event_id: Uuid,
    location: Option<&'a str>,
    body: &'a str,
}

impl<'a> KeptAnswer<'a> {
    /// The answer to the command of a key; none if it told of no change, and so has
    /// no transaction to be kept with.
    pub fn new(key: &'a Key, answer: &'a Answer) -> Option<Self> {
        Some(Self {
            scope: &key.scope,
            caller: key.caller(),
            key: &key.key,
            body_sha256: key.body_sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
            status: answer.status.as_u16(),
            event_id: answer.event_id?,
            location: answer.location.as_deref(),
            body: &answer.body,
        })
    }

    /// Answers as the parameter of a statement.
    ///
    /// # Errors
    /// None in practice: every answer has a JSON form.
    pub fn parameter(answers: &[Self]) -> sqlx::Result<String> {
        serde_json::to_string(answers).map_err(|error| sqlx::Error::Encode(error.into()))
    }
}

/// What is kept under a key: the answer to be given again, or, if it was used with
/// another body, the refusal (422). None if the key is new.
///
/// # Errors
/// 503 if the database is away.
pub async fn find(pool: &PgPool, key: &Key) -> Result<Option<Result<Answer, Problem>>, Problem> {
    let row = sqlx::query!(
        "SELECT body_sha256, status, event_id, location, body
         FROM idempotency_keys
         WHERE key = $1 AND scope = $2 AND caller = $3",
        key.key,
        key.scope,
        key.caller(),
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| {
        if row.body_sha256 != key.body_sha256 {
            return Err(reused());
        }
        let status =
            u16::try_from(row.status).ok().and_then(|code| StatusCode::from_u16(code).ok());
        Ok(Answer {
            status: status.unwrap_or(StatusCode::OK),
            event_id: Some(row.event_id),
            location: row.location,
            body: row.body,
        })
    }))
}

fn reused() -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Idempotency key reused").detail(
        "A request with this Idempotency-Key and another body was accepted before. Nothing was \
         changed. Use a key of its own for each command.",
    )
}

/// Whether a statement was refused because an answer is kept under that key already.
pub fn is_clash(error: &sqlx::Error) -> bool {
    let violated = error.as_database_error().and_then(|error| error.constraint());
    violated == Some("idempotency_keys_pkey")
}

/// Forgets answers that are older than a day, until shutdown.
pub async fn forget_old(pool: PgPool, shutdown: CancellationToken) {
    let pause = || tokio::time::sleep(FORGET_INTERVAL);
    while shutdown.run_until_cancelled(pause()).await.is_some() {
        while let Some(forgotten) = shutdown.run_until_cancelled(forget_some(&pool)).await {
            match forgotten {
                Ok(some) if some == FORGET_BATCH as u64 => {}
                Ok(_) => break,
                // It is tried again in a minute; what is kept longer harms nobody.
                Err(error) => {
                    service_runtime::postgres::report(&error);
                    break;
                }
            }
        }
    }
}

/// Deletes some of the old answers, and says how many.
async fn forget_some(pool: &PgPool) -> sqlx::Result<u64> {
    // Several services do this; none waits for another.
    let done = sqlx::query!(
        "DELETE FROM idempotency_keys
         WHERE ctid = ANY (ARRAY(
             SELECT ctid
             FROM idempotency_keys
             WHERE created_at < now() - interval '24 hours'
             ORDER BY created_at
             LIMIT $1
             FOR UPDATE SKIP LOCKED
         ))",
        FORGET_BATCH,
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

#[cfg(test)]
mod database_tests {
    use super::*;
    use crate::outbox;
    use shared_events::{Envelope, Event, Payload, UserState, now};
    use trace_context::TraceParent;

    fn key(key: &str, body: u8) -> Key {
        let scope = "POST /api/products".to_owned();
        Key { scope, caller: None, key: key.to_owned(), body_sha256: [body; 32] }
    }

    fn answer() -> Answer {
        let location = Some("/api/products/7".to_owned());
        let body = r#"{"productId":7,"name":"\"Tea\""}"#.to_owned();
        Answer { status: StatusCode::CREATED, event_id: Some(Uuid::now_v7()), location, body }
    }

    async fn keep(pool: &PgPool, key: &Key, answer: &Answer) -> sqlx::Result<()> {
        let user = UserState { user_id: 7, name: "Ada".to_owned(), email: "a@b".to_owned() };
        let event = Event {
            envelope: Envelope::new(1, now(), TraceParent::generate()),
            payload: Payload::UserCreated(user),
        };
        let mut connection = pool.acquire().await?;
        outbox::append(&mut connection, &event, KeptAnswer::new(key, answer)).await
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn an_answer_is_given_again_as_it_was(pool: PgPool) {
        let answer = answer();
        keep(&pool, &key("k", 1), &answer).await.unwrap();
        assert_eq!(find(&pool, &key("k", 1)).await.unwrap().unwrap().unwrap(), answer);
        let other_body = find(&pool, &key("k", 2)).await.unwrap().unwrap().unwrap_err();
        assert_eq!(other_body.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert!(find(&pool, &key("l", 1)).await.unwrap().is_none());
        assert!(is_clash(&keep(&pool, &key("k", 1), &answer).await.unwrap_err()));
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn answers_are_kept_for_a_day(pool: PgPool) {
        keep(&pool, &key("old", 1), &answer()).await.unwrap();
        sqlx::query(
            "UPDATE idempotency_keys SET created_at = now() - interval '24 hours 1 second'",
        )
        .execute(&pool)
        .await
        .unwrap();
        keep(&pool, &key("new", 1), &answer()).await.unwrap();
        assert_eq!(forget_some(&pool).await.unwrap(), 1);
        assert!(find(&pool, &key("old", 1)).await.unwrap().is_none());
        assert!(find(&pool, &key("new", 1)).await.unwrap().is_some());
    }
}
