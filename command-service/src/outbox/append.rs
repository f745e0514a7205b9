//! Writing events into the outbox.

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

/// Appends an event, in the transaction of the change that it tells of.
pub async fn append(connection: &mut PgConnection, event: &Event) -> sqlx::Result<()> {
    let entries = Entries::of(std::slice::from_ref(event))?;
    sqlx::query!(
        "INSERT INTO outbox (id, topic, payload)
         SELECT id, topic, payload::jsonb
         FROM unnest($1::uuid[], $2::text[], $3::text[]) AS event (id, topic, payload)",
        &entries.ids,
        &entries.topics,
        &entries.payloads,
    )
    .execute(connection)
    .await?;
    Ok(())
}
