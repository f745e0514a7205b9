//! Appends events to the outbox.

use crate::idempotency::StoredResponse;
use shared_events::Event;
use sqlx::PgConnection;
use uuid::Uuid;

/// Rows of the outbox, by column.
#[derive(Debug, Default)]
pub struct Entries {
    pub ids: Vec<Uuid>,
    pub topics: Vec<String>,
    /// JSON texts.
    pub payloads: Vec<String>,
}

impl Entries {
    /// The rows of these events.
    ///
    /// # Errors
    /// None in practice: every event has a JSON form.
    pub fn of(events: &[Event]) -> sqlx::Result<Self> {
        let mut entries = Self::default();
        for event in events {
            entries.ids.push(event.envelope.event_id);
            entries.topics.push(event.payload.topic().name().to_owned());
            let payload = event.to_json().map_err(|error| sqlx::Error::Encode(error.into()))?;
            entries.payloads.push(payload);
        }
        Ok(entries)
    }
}

/// Appends an event in the transaction of its change, and stores the response if the command has
/// an idempotency key. This must be the last statement before COMMIT: two commands with the same
/// key wait for each other here, and must hold all other locks by then.
pub async fn append(
    connection: &mut PgConnection,
    event: &Event,
    kept: Option<StoredResponse<'_>>,
) -> sqlx::Result<()> {
    let entries = Entries::of(std::slice::from_ref(event))?;
    sqlx::query_file!(
        "src/outbox/append.sql",
        &entries.ids,
        &entries.topics,
        &entries.payloads,
        StoredResponse::parameter(kept.as_slice())?,
    )
    .execute(connection)
    .await?;
    Ok(())
}
