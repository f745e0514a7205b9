//! Appends events to the outbox.

use crate::idempotency::StoredResponse;
use shared_events::Event;
use sqlx::PgConnection;

/// The payload of an event in the outbox.
///
/// # Errors
/// None in practice: every event has a JSON form.
pub fn payload(event: &Event) -> sqlx::Result<String> {
    event.to_json().map_err(|error| sqlx::Error::Encode(error.into()))
}

/// Appends an event in the transaction of its change, and stores the response if the command has
/// an idempotency key. This must be the last statement before COMMIT: two commands with the same
/// key wait for each other here, and must hold all other locks by then.
pub async fn append(
    connection: &mut PgConnection,
    event: &Event,
    kept: Option<StoredResponse>,
) -> sqlx::Result<()> {
    sqlx::query_file!(
        "src/outbox/append.sql",
        event.envelope.event_id,
        event.payload.topic().name(),
        payload(event)?,
        StoredResponse::parameter(kept.as_slice())?,
    )
    .execute(connection)
    .await?;
    Ok(())
}
