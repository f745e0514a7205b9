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

use crate::dead_letter_reasons::refused_by_database;
use crate::dead_letters::{self, DeadLetter, Stored};
use crate::decoded_message::{Content, DecodedMessage};
use crate::external;
use crate::metrics::{APPLIED, DUPLICATES};
use crate::progress;
use crate::projections;
use chrono::{DateTime, Utc};
use service_runtime::postgres::{
    Failure, acquire_for_transaction, done, in_time, is_timeout, sqlstate,
};
use shared_events::{Event, Topic};
use sqlx::{Connection, PgConnection, PgPool};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use uuid::Uuid;

/// Every transaction that applies events first takes the shared form of this advisory lock.
/// Transactions that change what all of them rely on take the exclusive form.
pub const LOCK: i64 = 4_187_301;

/// Begins a transaction with the shared lock in one round trip. If the lock fails, the
/// transaction stays open, so the connection must be closed after any failure.
pub const BEGIN: &str = "BEGIN; SELECT pg_advisory_xact_lock_shared(4187301)";

/// Begins a transaction with the exclusive lock.
pub const BEGIN_EXCLUSIVE: &str = "BEGIN; SELECT pg_advisory_xact_lock(4187301)";

/// Deadline of a batch. Its connection is closed then. The timeout of statements is shorter:
/// see `STATEMENT_LIMITS`.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// How events are treated that are older than the deduplication records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgeLimit {
    /// They become dead letters, because it is unknown whether they were applied.
    Enforced,
    /// They are applied, because an operator has checked them.
    Ignored,
}

/// The result of applying messages.
#[derive(Debug)]
pub struct Applied {
    /// Number of events applied.
    pub events: usize,
    /// Number of events that were applied before.
    duplicates: usize,
    dead_letters: Stored,
}

impl Applied {
    /// Updates metrics. Must be called after the commit.
    pub fn count(&self, topic: Topic) {
        APPLIED.of(topic).increment(self.events as u64);
        DUPLICATES.of(topic).increment(self.duplicates as u64);
        self.dead_letters.count();
    }
}

/// Applies the rest of a batch of one topic: the parts yet to be applied, the next one last.
///
/// # Errors
/// If the database failed for a reason other than the messages. Applied messages are removed
/// from the rest. If a part took too long, its halves remain.
pub async fn apply_rest(pool: &PgPool, rest: &mut Vec<&[DecodedMessage]>) -> sqlx::Result<()> {
    while let Some(part) = rest.pop() {
        let Err(error) = apply_part(pool, part).await else { continue };
        let (is_bad, is_late) = (is_bad_data(&error), is_late(&error));
        match part {
            [_, _, ..] if is_bad || is_late => {
                let (first, second) = part.split_at(part.len() / 2);
                rest.extend([second, first]);
            }
            [alone] if is_bad => {
                store_dead_letter(pool, alone, &error).await.inspect_err(|_| rest.push(part))?;
            }
            // A message that takes too long alone is retried after the others.
            _ if is_late => rest.insert(0, part),
            _ => rest.push(part),
        }
        if !is_bad {
            return Err(error);
        }
    }
    Ok(())
}

/// Applies messages of one topic.
#[cfg(test)]
pub async fn apply(pool: &PgPool, messages: &[DecodedMessage]) -> sqlx::Result<()> {
    apply_rest(pool, &mut vec![messages]).await
}

async fn apply_part(pool: &PgPool, batch: &[DecodedMessage]) -> sqlx::Result<()> {
    let mut connection = acquire_for_transaction(pool).await?;
    let begin = if external::any(batch) { BEGIN_EXCLUSIVE } else { BEGIN };
    let applying = async {
        let mut transaction = connection.begin_with(begin).await?;
        let applied = apply_in(&mut transaction, batch, AgeLimit::Enforced).await?;
        transaction.commit().await?;
        Ok(applied)
    };
    // After a timeout `processed_events` decides in the retry whether it was committed.
    let applied = in_time(DEADLINE, applying).await?;
    done(connection);
    if let Some(message) = batch.first() {
        applied.count(message.topic);
    }
    Ok(())
}

/// Applies messages of one topic in a transaction. Messages that cannot be applied become dead
/// letters.
pub async fn apply_in(
    connection: &mut PgConnection,
    batch: &[DecodedMessage],
    age_limit: AgeLimit,
) -> sqlx::Result<Applied> {
    let batch = &*external::check(connection, batch).await?;
    let NewEvents { events, counted, expired, since } =
        record_events(connection, batch, age_limit).await?;
    if !events.is_empty() {
        projections::apply(connection, &events).await?;
    }
    let mut dead_letters: Vec<DeadLetter<'_>> =
        batch.iter().filter_map(DeadLetter::of_unreadable).collect();
    let mut applied: BTreeSet<Uuid> = events.iter().map(|event| event.envelope.event_id).collect();
    let mut duplicates = 0;
    for message in batch {
        let Content::Event(Event { envelope, .. }) = &message.content else { continue };
        match since {
            Some(since) if expired.contains(&envelope.event_id) => {
                dead_letters.push(DeadLetter::of_expired(message, since));
            }
            // The first delivery of an event is the one that was applied.
            _ => duplicates += usize::from(!applied.remove(&envelope.event_id)),
        }
    }
    let stored = dead_letters::store(connection, &dead_letters).await?;
    if let Some(DecodedMessage { topic, .. }) = batch.first() {
        let counted = counted + stored.counted;
        progress::record(connection, *topic, batch, &events, counted).await?;
    }
    Ok(Applied { events: events.len(), duplicates, dead_letters: stored })
}

/// The events of a batch that were not processed before.
#[derive(Default)]
struct NewEvents {
    /// Events to apply.
    events: Vec<Event>,
    /// Number of events of our own outbox that arrived for the first time.
    counted: i64,
    /// Events older than the deduplication records, without a record.
    expired: BTreeSet<Uuid>,
    /// Time since which records are kept; none: always.
    since: Option<DateTime<Utc>>,
}

/// Records all events of a batch as processed and returns the new ones.
async fn record_events(
    connection: &mut PgConnection,
    batch: &[DecodedMessage],
    age_limit: AgeLimit,
) -> sqlx::Result<NewEvents> {
    // A batch may contain an event twice, also as our own and as an external copy. Our own
    // copy has precedence.
    let mut events: BTreeMap<Uuid, (&Event, &DecodedMessage)> = BTreeMap::new();
    for message in batch {
        if let Some(event) = message.event() {
            let known = events.entry(event.envelope.event_id).or_insert((event, message));
            if message.ours {
                *known = (event, message);
            }
        }
    }
    if events.is_empty() {
        return Ok(NewEvents::default());
    }
    let rows = sqlx::query_file!(
        "src/record_events.sql",
        &events.keys().copied().collect::<Vec<_>>(),
        &events.values().map(|(_, message)| message.ours).collect::<Vec<_>>(),
        &events.values().map(|(event, _)| event.envelope.timestamp).collect::<Vec<_>>(),
        age_limit == AgeLimit::Ignored,
        &events
            .values()
            .map(|(_, message)| message.digest.map(|digest| digest.to_vec()))
            .collect::<Vec<_>>() as _,
    )
    .fetch_all(connection)
    .await?;
    let mut new = NewEvents::default();
    for row in &rows {
        new.counted += i64::from(row.counted);
        if row.expired_since.is_some() {
            new.since = row.expired_since;
            new.expired.insert(row.event_id);
        } else if let Some((event, message)) = events.get(&row.event_id) {
            // An external event used the id of our event for different content.
            let is_other = |digest: &Vec<u8>| digest[..] != external::digest_of(event);
            if row.is_new || (message.ours && row.digest.as_ref().is_some_and(is_other)) {
                new.events.push((*event).clone());
            }
        }
    }
    Ok(new)
}

/// Stores an event that the database refuses as a dead letter.
async fn store_dead_letter(
    pool: &PgPool,
    message: &DecodedMessage,
    error: &sqlx::Error,
) -> sqlx::Result<()> {
    let dead_letter = DeadLetter::of_refused(message, refused_by_database(error));
    let mut connection = acquire_for_transaction(pool).await?;
    let storing = async {
        let mut transaction = connection.begin().await?;
        let stored = dead_letters::store(&mut transaction, &[dead_letter]).await?;
        progress::record(&mut transaction, message.topic, &[], &[], stored.counted).await?;
        transaction.commit().await?;
        Ok(stored)
    };
    let stored = in_time(DEADLINE, storing).await?;
    done(connection);
    stored.count();
    Ok(())
}

/// Whether a transaction, or a statement of it, took too long.
fn is_late(error: &sqlx::Error) -> bool {
    Failure::of(error) == Failure::Cancelled || is_timeout(error)
}

/// Whether the data itself is refused. Other errors, such as a missing table, would also fail
/// valid events.
///
/// SQLSTATE classes: 21 cardinality violation (one statement writes a row twice); 22 data
/// exception; 23 integrity constraint violation; 54 program limit exceeded (such as the size
/// of an index entry).
pub fn is_bad_data(error: &sqlx::Error) -> bool {
    let refused = |code: String| matches!(code.get(..2), Some("21" | "22" | "23" | "54"));
    matches!(error, sqlx::Error::Encode(_)) || sqlstate(error).is_some_and(refused)
}
