//! Records the progress of the views: newest event, counts and watermarks.

use crate::decoded_message::{Content, DecodedMessage};
use chrono::{DateTime, Utc};
use shared_events::{Event, Topic};
use sqlx::PgConnection;

/// Records a batch: `applied` are its new events, `counted` is the number of events of our own
/// outbox that were processed for the first time. Must be the last step of a transaction,
/// because every consumer updates the same rows.
pub async fn record(
    connection: &mut PgConnection,
    batch: &[DecodedMessage],
    applied: &[Event],
    counted: i64,
) -> sqlx::Result<()> {
    let Some(topic) = batch.first().map(|message| message.topic.name()) else { return Ok(()) };
    let newest: Option<DateTime<Utc>> = applied.iter().map(|event| event.envelope.timestamp).max();
    let (taken_at, committed): (Vec<DateTime<Utc>>, Vec<i64>) = batch
        .iter()
        .filter_map(|message| match &message.content {
            Content::Watermark(watermark) => Some((watermark.taken_at, watermark.committed)),
            Content::Event(_) | Content::InvalidWatermark | Content::Unreadable { .. } => None,
        })
        .unzip();
    if newest.is_some() || counted > 0 || !taken_at.is_empty() {
        write(connection, topic, newest, applied.len(), counted, &taken_at, &committed).await?;
    }
    Ok(())
}

/// Records only the number of events of our own outbox that were processed for the first
/// time.
pub async fn count(connection: &mut PgConnection, topic: Topic, counted: i64) -> sqlx::Result<()> {
    write(connection, topic.name(), None, 0, counted, &[], &[]).await
}

async fn write(
    connection: &mut PgConnection,
    topic: &str,
    newest: Option<DateTime<Utc>>,
    applied: usize,
    counted: i64,
    taken_at: &[DateTime<Utc>],
    committed: &[i64],
) -> sqlx::Result<()> {
    sqlx::query_file!(
        "src/record_progress.sql",
        topic,
        newest,
        applied as i64,
        counted,
        taken_at,
        committed,
    )
    .execute(connection)
    .await?;
    Ok(())
}
