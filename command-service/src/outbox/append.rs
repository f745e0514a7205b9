//! Writing events into the outbox.

use shared_events::Event;
use sqlx::PgConnection;

/// Appends events, in the transaction of the change that they tell of.
pub async fn append(connection: &mut PgConnection, events: &[&Event]) -> sqlx::Result<()> {
    let mut ids = Vec::with_capacity(events.len());
    let mut topics = Vec::with_capacity(events.len());
    let mut payloads = Vec::with_capacity(events.len());
    for event in events {
        ids.push(event.envelope.event_id);
        topics.push(event.payload.topic().name().to_owned());
        payloads.push(event.to_json().map_err(|error| sqlx::Error::Encode(error.into()))?);
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
