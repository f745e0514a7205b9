//! How far the views have come: newest event, counts and watermarks.

use crate::incoming::{Content, Incoming};
use chrono::{DateTime, Utc};
use shared_events::{Event, Topic};
use sqlx::PgConnection;

/// Notes what a batch brought: `applied` are its new events, `counted` how many
/// events of our own outbox were dealt with for the first time. To be called
/// last in a transaction, as every consumer changes the same rows here.
pub async fn note(
    connection: &mut PgConnection,
    batch: &[Incoming],
    applied: &[Event],
    counted: i64,
) -> sqlx::Result<()> {
    let Some(topic) = batch.first().map(|incoming| incoming.topic.name()) else { return Ok(()) };
    let newest: Option<DateTime<Utc>> = applied.iter().map(|event| event.envelope.timestamp).max();
    let (taken_at, committed): (Vec<DateTime<Utc>>, Vec<i64>) = batch
        .iter()
        .filter_map(|incoming| match &incoming.content {
            Content::Watermark(watermark) => Some((watermark.taken_at, watermark.committed)),
            Content::Event(_) | Content::Dropped | Content::Unreadable { .. } => None,
        })
        .unzip();
    if newest.is_some() || counted > 0 || !taken_at.is_empty() {
        write(connection, topic, newest, applied.len(), counted, &taken_at, &committed).await?;
    }
    Ok(())
}

/// Notes nothing but that so many events of our own outbox were dealt with.
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
        "src/note_progress.sql",
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
