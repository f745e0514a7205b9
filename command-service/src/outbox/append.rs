//! Writing events into the outbox.

use service_runtime::problem::Problem;
use shared_events::Event;
use sqlx::PgConnection;

/// Appends events, in the transaction of the change that they tell of.
pub async fn append(connection: &mut PgConnection, events: &[&Event]) -> Result<(), AppendError> {
    let mut ids = Vec::with_capacity(events.len());
    let mut topics = Vec::with_capacity(events.len());
    let mut payloads = Vec::with_capacity(events.len());
    for event in events {
        ids.push(event.envelope.event_id);
        topics.push(event.payload.topic().name().to_owned());
        payloads.push(event.to_json()?);
    }
    sqlx::query!(
        "INSERT INTO outbox (id, topic, payload)
         SELECT id, topic, payload::jsonb
         FROM unnest($1::uuid[], $2::text[], $3::text[]) AS event (id, topic, payload)",
        &ids,
        &topics,
        &payloads,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Why events were not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    #[error("an event has no JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Json(error) => Self::internal(&error),
            AppendError::Database(error) => error.into(),
        }
    }
}
