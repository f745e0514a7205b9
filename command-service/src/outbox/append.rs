//! Writing events into the outbox.

use crate::idempotency::KeptAnswer;
use shared_events::Event;
use sqlx::PgConnection;
use uuid::Uuid;

/// Events as rows of the outbox, column by column.
#[derive(Debug, Default)]
pub struct Entries {
    pub ids: Vec<Uuid>,
    pub topics: Vec<String>,
    /// JSON.
    pub payloads: Vec<String>,
}

impl Entries {
    /// The rows of events.
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

/// Appends an event, in the transaction of the change that it tells of; and keeps
/// the answer to the command, if it has a key. To be called last: two commands of
/// one key wait for each other here, and then hold all that they need.
pub async fn append(
    connection: &mut PgConnection,
    event: &Event,
    kept: Option<KeptAnswer<'_>>,
) -> sqlx::Result<()> {
    let entries = Entries::of(std::slice::from_ref(event))?;
    sqlx::query_file!(
        "src/outbox/append.sql",
        &entries.ids,
        &entries.topics,
        &entries.payloads,
        KeptAnswer::parameter(kept.as_slice())?,
    )
    .execute(connection)
    .await?;
    Ok(())
}
