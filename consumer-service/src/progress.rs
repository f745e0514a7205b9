//! Records the progress of the views: newest event, counts and watermarks.

use crate::decoded_message::DecodedMessage;
use chrono::{DateTime, Utc};
use shared_events::{Event, Topic};
use sqlx::PgConnection;

/// Records a batch of a topic: `applied` are its new events, `counted` is the number of events of
/// our own outbox that were processed for the first time. Must be the last step of a transaction,
/// because every consumer updates the same rows.
pub async fn record(
    connection: &mut PgConnection,
    topic: Topic,
    batch: &[DecodedMessage],
    applied: &[Event],
    counted: i64,
) -> sqlx::Result<()> {
    let newest = applied.iter().map(|event| event.envelope.timestamp).max();
    let (taken_at, committed): (Vec<DateTime<Utc>>, Vec<i64>) = batch
        .iter()
        .filter_map(|message| message.content.try_as_watermark_ref())
        .map(|watermark| (watermark.taken_at, watermark.committed))
        .unzip();
    if newest.is_none() && counted == 0 && taken_at.is_empty() {
        return Ok(());
    }
    sqlx::query_file!(
        "src/record_progress.sql",
        topic.name(),
        newest,
        applied.len() as i64,
        counted,
        &taken_at,
        &committed,
    )
    .execute(connection)
    .await?;
    Ok(())
}
