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

/// Appends events in the transaction of their changes, and stores the response if the command has
/// an idempotency key. This must be the last statement before COMMIT: two commands with the same
/// key wait for each other here, and must hold all other locks by then.
pub async fn append(
    connection: &mut PgConnection,
    events: &[Event],
    kept: Option<StoredResponse>,
) -> sqlx::Result<()> {
    let payloads = events.iter().map(payload).collect::<sqlx::Result<Vec<_>>>()?;
    sqlx::query_file!(
        "src/outbox/append.sql",
        &events.iter().map(|event| event.envelope.event_id).collect::<Vec<_>>(),
        &events.iter().map(|event| event.payload.topic().name().to_owned()).collect::<Vec<_>>(),
        &payloads,
        StoredResponse::parameter(kept.as_slice())?,
    )
    .execute(connection)
    .await?;
    Ok(())
}
