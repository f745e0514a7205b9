//! Stored responses, in the table `idempotency_keys`.

use super::Key;
use crate::response::{CommandResponse, CommandResult};
use axum::http::StatusCode;
use serde::Serialize;
use service_runtime::problem::Problem;
use sqlx::PgPool;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Interval of deleting old responses.
const DELETE_INTERVAL: Duration = Duration::from_secs(60);

/// Maximum number of responses that one statement deletes.
const DELETE_BATCH: i64 = 5_000;

/// A response to store, as an element of the JSON array that statements take.
#[derive(Debug, Serialize)]
pub struct StoredResponse {
    scope: String,
    caller: String,
    key: String,
    /// Hexadecimal.
    body_sha256: String,
    status: u16,
    event_id: Uuid,
    location: Option<String>,
    body: String,
}

impl StoredResponse {
    /// The response to the command of a key; none if nothing changed, and so there is no
    /// transaction to store it in.
    pub fn new(key: &Key, response: CommandResponse) -> Option<Self> {
        Some(Self {
            scope: key.scope.clone(),
            caller: key.caller().to_owned(),
            key: key.key.clone(),
            body_sha256: key.body_sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
            status: response.status.as_u16(),
            event_id: response.event_id?,
            location: response.location,
            body: response.body,
        })
    }

    /// Responses as the parameter of a statement.
    ///
    /// # Errors
    /// None in practice: every response has a JSON form.
    pub fn parameter(responses: &[Self]) -> sqlx::Result<String> {
        serde_json::to_string(responses).map_err(|error| sqlx::Error::Encode(error.into()))
    }
}

/// The response stored under a key, or 422 if the key was used with another body. None if
/// the key is new.
///
/// # Errors
/// 503 if the database is unavailable.
pub async fn find(pool: &PgPool, key: &Key) -> Result<Option<CommandResult>, Problem> {
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
            return Err(key_reused());
        }
        let status =
            u16::try_from(row.status).ok().and_then(|code| StatusCode::from_u16(code).ok());
        Ok(CommandResponse {
            status: status.unwrap_or(StatusCode::OK),
            event_id: Some(row.event_id),
            location: row.location,
            body: row.body,
        })
    }))
}

/// The response to a key that was used with another body.
pub fn key_reused() -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Idempotency key reused").detail(
        "A command with this Idempotency-Key and another body was accepted before. Nothing was \
         changed. Use a new key for each command.",
    )
}

/// Whether a statement failed because a response is already stored under the key.
pub fn is_duplicate(error: &sqlx::Error) -> bool {
    let violated = error.as_database_error().and_then(|error| error.constraint());
    violated == Some("idempotency_keys_pkey")
}

/// Deletes responses that are older than a day, until shutdown.
pub async fn delete_old(pool: PgPool, shutdown: CancellationToken) {
    let sleep = || tokio::time::sleep(DELETE_INTERVAL);
    while shutdown.run_until_cancelled(sleep()).await.is_some() {
        while let Some(deleted) = shutdown.run_until_cancelled(delete_batch(&pool)).await {
            match deleted {
                Ok(count) if count == DELETE_BATCH as u64 => {}
                Ok(_) => break,
                // Retried after the interval.
                Err(error) => {
                    service_runtime::postgres::report(&error);
                    break;
                }
            }
        }
    }
}

/// Deletes a batch of old responses and returns how many.
async fn delete_batch(pool: &PgPool) -> sqlx::Result<u64> {
    // Several services run this concurrently without waiting for each other.
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
        DELETE_BATCH,
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

#[cfg(test)]
mod database_tests {
    use super::*;
    use crate::outbox;
    use shared_events::{Event, Payload, UserState, now};
    use trace_context::TraceParent;

    fn key(key: &str, body: u8) -> Key {
        let scope = "POST /api/products".to_owned();
        Key { scope, caller: None, key: key.to_owned(), body_sha256: [body; 32] }
    }

    fn response() -> CommandResponse {
        let location = Some("/api/products/7".to_owned());
        let product = serde_json::json!({"productId": 7, "name": "\"Tea\""});
        CommandResponse::new(Some(Uuid::now_v7()), location, &product).unwrap()
    }

    async fn store(pool: &PgPool, key: &Key, response: &CommandResponse) -> sqlx::Result<()> {
        let user = UserState { user_id: 7, name: "Ada".to_owned(), email: "a@b".to_owned() };
        let event = Event::new(1, now(), TraceParent::generate(), Payload::UserCreated(user));
        let mut connection = pool.acquire().await?;
        outbox::append(&mut connection, &[event], StoredResponse::new(key, response.clone())).await
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn a_stored_response_is_returned_unchanged(pool: PgPool) {
        let response = response();
        store(&pool, &key("k", 1), &response).await.unwrap();
        assert_eq!(find(&pool, &key("k", 1)).await.unwrap().unwrap().unwrap(), response);
        let other_body = find(&pool, &key("k", 2)).await.unwrap().unwrap().unwrap_err();
        assert_eq!(other_body.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert!(find(&pool, &key("l", 1)).await.unwrap().is_none());
        assert!(is_duplicate(&store(&pool, &key("k", 1), &response).await.unwrap_err()));
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn responses_are_stored_for_a_day(pool: PgPool) {
        store(&pool, &key("old", 1), &response()).await.unwrap();
        sqlx::query(
            "UPDATE idempotency_keys SET created_at = now() - interval '24 hours 1 second'",
        )
        .execute(&pool)
        .await
        .unwrap();
        store(&pool, &key("new", 1), &response()).await.unwrap();
        assert_eq!(delete_batch(&pool).await.unwrap(), 1);
        assert!(find(&pool, &key("old", 1)).await.unwrap().is_none());
        assert!(find(&pool, &key("new", 1)).await.unwrap().is_some());
    }
}
