//! The only transaction that changes views.
//!
//! A batch of deliveries is one transaction: new events are told from those
//! seen before, every projection adds them up, what cannot be read is parked,
//! and progress is noted. It commits as a whole, before any of the deliveries
//! is acknowledged, so each event takes effect exactly once.
//!
//! A batch that fails on data is halved until the event that fails stands
//! alone; that one is parked. Any other failure is not the events' fault, and
//! is for the caller to wait out.

use crate::dead_letters::{self, Letter};
use crate::incoming::{Content, Incoming};
use crate::progress;
use crate::projections::PROJECTIONS;
use service_runtime::postgres::sqlstate;
use shared_events::Event;
use sqlx::{PgConnection, PgPool};
use std::collections::BTreeMap;
use tracing::warn;
use uuid::Uuid;

/// Applies deliveries of one topic.
///
/// # Errors
/// If the database could not do its part; nothing is known to be wrong with
/// the deliveries then. Those applied by then stay applied.
pub async fn apply(pool: &PgPool, batch: &[Incoming]) -> sqlx::Result<()> {
    // Halves yet to be tried, the next one last.
    let mut parts = vec![batch];
    while let Some(part) = parts.pop() {
        match apply_together(pool, part).await {
            Ok(()) => {}
            Err(error) if !is_bad_data(&error) => return Err(error),
            Err(error) => match part {
                [] => {}
                [alone] => park(pool, alone, &error).await?,
                _ => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
            },
        }
    }
    Ok(())
}

async fn apply_together(pool: &PgPool, batch: &[Incoming]) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    let fresh = take_fresh(&mut transaction, batch).await?;
    if !fresh.events.is_empty() {
        for projection in PROJECTIONS {
            (projection.apply)(&mut transaction, &fresh.events).await?;
        }
    }
    let letters: Vec<Letter<'_>> = batch.iter().filter_map(Letter::of_unreadable).collect();
    let parked = dead_letters::park(&mut transaction, &letters).await?;
    let counted = fresh.counted + parked;
    progress::note(&mut transaction, batch, &fresh.events, counted).await?;
    transaction.commit().await?;
    metrics::counter!("events_applied_total").increment(fresh.events.len() as u64);
    Ok(())
}

/// What of a batch was not seen before.
struct Fresh {
    /// Events to be applied.
    events: Vec<Event>,
    /// Events of our outbox seen for the first time.
    counted: i64,
}

/// Notes all events of the batch as processed; returns those that were not.
async fn take_fresh(connection: &mut PgConnection, batch: &[Incoming]) -> sqlx::Result<Fresh> {
    // An event may be in a batch twice, also as our copy and as a stranger's.
    let mut events: BTreeMap<Uuid, (&Event, bool)> = BTreeMap::new();
    for incoming in batch {
        if let Content::Event(event) = &incoming.content {
            let entry = events.entry(event.envelope.event_id).or_insert((event, false));
            entry.1 |= incoming.ours;
        }
    }
    if events.is_empty() {
        return Ok(Fresh { events: Vec::new(), counted: 0 });
    }
    let ids: Vec<Uuid> = events.keys().copied().collect();
    let ours: Vec<bool> = events.values().map(|(_, ours)| *ours).collect();
    let rows = sqlx::query_file!("src/take_fresh.sql", &ids, &ours).fetch_all(connection).await?;
    let counted = rows.iter().filter(|row| row.counted).count() as i64;
    let events = rows
        .iter()
        .filter(|row| row.fresh)
        .filter_map(|row| events.get(&row.event_id))
        .map(|(event, _)| (*event).clone())
        .collect();
    Ok(Fresh { events, counted })
}

/// Parks an event that could be read, but that the database refuses.
async fn park(pool: &PgPool, incoming: &Incoming, error: &sqlx::Error) -> sqlx::Result<()> {
    warn!(event_id = ?incoming.event_id(), "parking an event that cannot be applied: {error}");
    let mut transaction = pool.begin().await?;
    let letter = Letter::new(incoming, error.to_string());
    let counted = dead_letters::park(&mut transaction, &[letter]).await?;
    progress::count(&mut transaction, incoming.topic, counted).await?;
    transaction.commit().await
}

/// Whether the data as such is refused. Anything else, a missing table say,
/// would fail good events too.
///
/// SQLSTATE classes: 21 cardinality violation, one row written twice by one
/// statement; 22 data exception; 23 integrity constraint violation; 54 program
/// limit exceeded, an index entry say.
fn is_bad_data(error: &sqlx::Error) -> bool {
    let refused = |code: String| matches!(code.get(..2), Some("21" | "22" | "23" | "54"));
    matches!(error, sqlx::Error::Encode(_)) || sqlstate(error).is_some_and(refused)
}
