//! The only transaction that changes views.
//!
//! A batch of deliveries is one transaction: duplicates are skipped, every projection
//! adds the new events, unreadable messages become dead letters, and progress is stored.
//! It commits as a whole, before any of the deliveries is acknowledged, so each event
//! takes effect exactly once.
//!
//! A batch that fails on data is halved until the bad event is alone; it becomes a dead
//! letter. A batch that takes too long is halved as well; an event that takes too long
//! alone is retried after the others. After any other failure, which is not caused by the
//! events, the caller retries.

#[cfg(test)]
pub mod database_tests;

use crate::dead_letters::{self, Letter, Parked, refused_by_database};
use crate::external;
use crate::incoming::{Content, Incoming};
use crate::metrics::{APPLIED, DUPLICATES};
use crate::progress;
use crate::projections;
use chrono::{DateTime, Utc};
use service_runtime::postgres::{TransactionConnection, is_cancelled, sqlstate};
use shared_events::{Event, Topic};
use sqlx::{Connection, PgConnection, PgPool};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;

/// Every transaction that applies events shares this advisory lock, from before it
/// looks at anything; whoever changes what all of them rely on holds it alone.
pub const LOCK: i64 = 4_187_301;

/// How such a transaction begins, in one round trip. If the lock is not to be had, a
/// transaction stays open, so the connection is to be closed after any failure.
pub const BEGIN: &str = "BEGIN; SELECT pg_advisory_xact_lock_shared(4187301)";

/// Begins a transaction that excludes all others.
pub const BEGIN_ALONE: &str = "BEGIN; SELECT pg_advisory_xact_lock(4187301)";

/// Deadline of a batch; then its connection is closed. Statements end sooner: see
/// `STATEMENT_LIMITS`.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// What becomes of events that are older than the memory of processed events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// They are parked, as nobody knows whether they were applied.
    Respected,
    /// They are applied: an operator has looked.
    Ignored,
}

/// What became of deliveries.
#[derive(Debug)]
pub struct Settled {
    /// How many events were applied.
    pub applied: usize,
    /// How many had been applied before.
    duplicates: usize,
    parked: Parked,
}

impl Settled {
    /// Tells metrics. To be called when it is committed.
    pub fn count(&self, topic: Topic) {
        APPLIED.add_to(topic, self.applied);
        DUPLICATES.add_to(topic, self.duplicates);
        self.parked.count();
    }
}

/// Deliveries of one topic; some may be applied already.
#[derive(Debug)]
pub struct Batch<'a> {
    /// Parts yet to be applied, the next one last.
    rest: Vec<&'a [Incoming]>,
}

impl<'a> Batch<'a> {
    /// A batch before anything is applied.
    pub fn new(deliveries: &'a [Incoming]) -> Self {
        Self { rest: vec![deliveries] }
    }
}

/// Applies the rest of a batch.
///
/// # Errors
/// If the database failed, for a reason other than the deliveries. Those already applied
/// are removed from the batch. If a part took too
/// long, its halves remain.
pub async fn apply_rest(pool: &PgPool, batch: &mut Batch<'_>) -> sqlx::Result<()> {
    while let Some(part) = batch.rest.pop() {
        let Err(error) = apply_together(pool, part).await else { continue };
        let (is_bad, is_late) = (is_bad_data(&error), is_late(&error));
        match part {
            [_, _, ..] if is_bad || is_late => {
                let (first, second) = part.split_at(part.len() / 2);
                batch.rest.extend([second, first]);
            }
            [alone] if is_bad => {
                park(pool, alone, &error).await.inspect_err(|_| batch.rest.push(part))?;
            }
            // A delivery that takes too long alone is tried again after the others.
            _ if is_late => batch.rest.insert(0, part),
            _ => batch.rest.push(part),
        }
        if !is_bad {
            return Err(error);
        }
    }
    Ok(())
}

/// Applies deliveries of one topic.
#[cfg(test)]
pub async fn apply(pool: &PgPool, deliveries: &[Incoming]) -> sqlx::Result<()> {
    apply_rest(pool, &mut Batch::new(deliveries)).await
}

async fn apply_together(pool: &PgPool, batch: &[Incoming]) -> sqlx::Result<()> {
    let mut connection = TransactionConnection::acquire(pool).await?;
    // Whether it was committed is told by `processed_events` when it is tried again.
    let settled = in_time(apply_on(&mut connection, batch)).await?;
    connection.done();
    if let Some(incoming) = batch.first() {
        settled.count(incoming.topic);
    }
    Ok(())
}

/// Runs a transaction until [`DEADLINE`]. Close its connection after any failure.
pub async fn in_time<T>(transaction: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, "no answer within 30 s");
    timeout(DEADLINE, transaction).await.unwrap_or_else(|_| Err(late().into()))
}

async fn apply_on(connection: &mut PgConnection, batch: &[Incoming]) -> sqlx::Result<Settled> {
    let begin = if external::any(batch) { BEGIN_ALONE } else { BEGIN };
    let mut transaction = connection.begin_with(begin).await?;
    let settled = apply_in(&mut transaction, batch, Memory::Respected).await?;
    transaction.commit().await?;
    Ok(settled)
}

/// Applies deliveries of one topic in a transaction; parks those that cannot be.
pub async fn apply_in(
    connection: &mut PgConnection,
    batch: &[Incoming],
    memory: Memory,
) -> sqlx::Result<Settled> {
    let batch = &*external::settle(connection, batch).await?;
    let Fresh { events, counted, forgotten, since } = take_fresh(connection, batch, memory).await?;
    if !events.is_empty() {
        projections::apply(connection, &events).await?;
    }
    let mut letters: Vec<Letter<'_>> = batch.iter().filter_map(Letter::of_unreadable).collect();
    let mut applied: BTreeSet<Uuid> = events.iter().map(|event| event.envelope.event_id).collect();
    let mut duplicates = 0;
    for incoming in batch {
        let Content::Event(Event { envelope, .. }) = &incoming.content else { continue };
        match since {
            Some(since) if forgotten.contains(&envelope.event_id) => {
                letters.push(Letter::of_forgotten(incoming, since));
            }
            // The first delivery of an event is the one that was applied.
            _ => duplicates += usize::from(!applied.remove(&envelope.event_id)),
        }
    }
    let parked = dead_letters::park(connection, &letters).await?;
    progress::note(connection, batch, &events, counted + parked.counted).await?;
    Ok(Settled { applied: events.len(), duplicates, parked })
}

/// What of a batch was not seen before.
#[derive(Default)]
struct Fresh {
    /// Events to be applied.
    events: Vec<Event>,
    /// Events of our outbox seen for the first time.
    counted: i64,
    /// Events that are older than the memory of processed events, and not in it.
    forgotten: BTreeSet<Uuid>,
    /// Since when events are remembered; none: always.
    since: Option<DateTime<Utc>>,
}

/// Notes all events of the batch as processed; returns those that were not.
async fn take_fresh(
    connection: &mut PgConnection,
    batch: &[Incoming],
    memory: Memory,
) -> sqlx::Result<Fresh> {
    // An event may be in a batch twice, also as our copy and as another publisher's; then
    // our copy counts.
    let mut events: BTreeMap<Uuid, (&Event, &Incoming)> = BTreeMap::new();
    for incoming in batch {
        if let Some(event) = incoming.event() {
            let known = events.entry(event.envelope.event_id).or_insert((event, incoming));
            if incoming.ours {
                *known = (event, incoming);
            }
        }
    }
    if events.is_empty() {
        return Ok(Fresh::default());
    }
    let rows = sqlx::query_file!(
        "src/take_fresh.sql",
        &events.keys().copied().collect::<Vec<_>>(),
        &events.values().map(|(_, incoming)| incoming.ours).collect::<Vec<_>>(),
        &events.values().map(|(event, _)| event.envelope.timestamp).collect::<Vec<_>>(),
        memory == Memory::Ignored,
        &events
            .values()
            .map(|(_, incoming)| incoming.digest.map(|digest| digest.to_vec()))
            .collect::<Vec<_>>() as _,
    )
    .fetch_all(connection)
    .await?;
    let mut fresh = Fresh::default();
    for row in &rows {
        fresh.counted += i64::from(row.counted);
        if row.forgotten_since.is_some() {
            fresh.since = row.forgotten_since;
            fresh.forgotten.insert(row.event_id);
        } else if let Some((event, incoming)) = events.get(&row.event_id) {
            // An external event used the id of our event for another content.
            let is_other = |digest: &Vec<u8>| digest[..] != external::digest_of(event);
            if row.fresh || (incoming.ours && row.digest.as_ref().is_some_and(is_other)) {
                fresh.events.push((*event).clone());
            }
        }
    }
    Ok(fresh)
}

/// Parks an event that could be read, but that the database refuses.
async fn park(pool: &PgPool, incoming: &Incoming, error: &sqlx::Error) -> sqlx::Result<()> {
    let letter = Letter::of_refused(incoming, refused_by_database(error));
    let mut connection = TransactionConnection::acquire(pool).await?;
    let parking = async {
        let mut transaction = connection.begin().await?;
        let parked = dead_letters::park(&mut transaction, &[letter]).await?;
        progress::count(&mut transaction, incoming.topic, parked.counted).await?;
        transaction.commit().await?;
        Ok(parked)
    };
    let parked = in_time(parking).await?;
    connection.done();
    parked.count();
    Ok(())
}

/// Whether a transaction, or a statement of it, took too long.
fn is_late(error: &sqlx::Error) -> bool {
    let is_timeout = |error: &io::Error| error.kind() == io::ErrorKind::TimedOut;
    is_cancelled(error) || matches!(error, sqlx::Error::Io(error) if is_timeout(error))
}

/// Whether the data as such is refused. Anything else, a missing table say,
/// would fail good events too.
///
/// SQLSTATE classes: 21 cardinality violation, one row written twice by one
/// statement; 22 data exception; 23 integrity constraint violation; 54 program
/// limit exceeded, an index entry say.
pub fn is_bad_data(error: &sqlx::Error) -> bool {
    let refused = |code: String| matches!(code.get(..2), Some("21" | "22" | "23" | "54"));
    matches!(error, sqlx::Error::Encode(_)) || sqlstate(error).is_some_and(refused)
}
