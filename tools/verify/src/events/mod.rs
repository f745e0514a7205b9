//! Compares the events of the outbox with those that the read side has processed.

use crate::databases::{Databases, failure};
use crate::merge::{Pair, merge};
use crate::numbers::ago;
use crate::progress::Progress;
use anyhow::{Context, Result};
use futures::{Stream, TryStreamExt};
use kit::grouped;
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The result of a comparison.
#[derive(Debug, Default)]
pub struct Events {
    /// Number of committed events, by the first comparison.
    pub committed: u64,
    /// Committed, but not in the views: in transit, lost, or dead letters. Ascending.
    pub unapplied: Vec<Uuid>,
    /// Processed as our own, but not committed. Ascending.
    pub uncommitted: Vec<Uuid>,
    /// Number of external events in the views.
    pub external: u64,
    /// Lower ids have no deduplication record; the comparison of the views covers them.
    oldest_kept: Uuid,
}

/// An event that the read side has processed.
struct Processed {
    id: Uuid,
    /// The copy from our own outbox has arrived.
    counted: bool,
    is_dead_letter: bool,
}

/// An event in the outbox.
#[derive(sqlx::FromRow)]
struct Description {
    id: Uuid,
    /// Topic and type.
    event_type: String,
    /// Seconds since the commit.
    committed_ago: i64,
    /// Seconds since the confirmation of the broker; none before.
    published_ago: Option<i64>,
}

impl Events {
    /// Compares committed with processed events.
    pub async fn compare(databases: &mut Databases, progress: &Progress) -> Result<Self> {
        let mut events = Self { oldest_kept: oldest_kept(databases).await?, ..Self::default() };
        let order = |committed: &Uuid, processed: &Processed| Ok(committed.cmp(&processed.id));
        let (write, read) = (&mut databases.write, &mut databases.read);
        merge(committed(write), processed(read), order, |pair| {
            progress.report(|| format!("comparing events: {}", grouped(events.committed)));
            events.take(pair);
            Ok(())
        })
        .await?;
        Ok(events)
    }

    /// Keeps the differences that a later comparison also found.
    pub fn keep_common(&mut self, later: &Self) {
        self.unapplied.retain(|id| later.unapplied.binary_search(id).is_ok());
        self.uncommitted.retain(|id| later.uncommitted.binary_search(id).is_ok());
        self.external = later.external;
    }

    fn take(&mut self, pair: Pair<Uuid, Processed>) {
        self.committed += u64::from(!matches!(pair, Pair::Right(_)));
        match pair {
            Pair::Left(id) if id < self.oldest_kept => {}
            Pair::Left(id) => self.unapplied.push(id),
            Pair::Both(id, Processed { is_dead_letter: true, .. }) => self.unapplied.push(id),
            // Not counted: an external copy was applied before ours.
            Pair::Both(_, Processed { is_dead_letter: false, .. }) => {}
            Pair::Right(Processed { id, counted: true, .. }) => self.uncommitted.push(id),
            Pair::Right(Processed { is_dead_letter, .. }) => {
                self.external += u64::from(!is_dead_letter);
            }
        }
    }
}

/// The lowest event id whose deduplication record is kept.
async fn oldest_kept(databases: &mut Databases) -> Result<Uuid> {
    let lowest: Option<Uuid> = sqlx::query_scalar(include_str!("oldest_kept.sql"))
        .fetch_one(&mut databases.read)
        .await
        .map_err(|error| failed(error, "read"))?;
    Ok(lowest.unwrap_or_default())
}

/// The event ids of the outbox.
fn committed(connection: &mut PgConnection) -> impl Stream<Item = Result<Uuid>> {
    sqlx::query_scalar(include_str!("committed.sql"))
        .fetch(connection)
        .map_err(|error| failed(error, "write"))
}

fn processed(connection: &mut PgConnection) -> impl Stream<Item = Result<Processed>> {
    sqlx::query_as(include_str!("processed.sql"))
        .fetch(connection)
        .map_ok(|(id, counted, is_dead_letter)| Processed { id, counted, is_dead_letter })
        .map_err(|error| failed(error, "read"))
}

fn failed(error: sqlx::Error, side: &str) -> anyhow::Error {
    failure(error, &format!("cannot read the events of the {side} database"))
}

/// Describes unapplied events of the outbox, one line each.
pub async fn describe(databases: &mut Databases, ids: &[Uuid]) -> Result<Vec<String>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let dead_letters: Vec<(Uuid, i64, String)> = sqlx::query_as(include_str!("dead_letters.sql"))
        .bind(ids)
        .fetch_all(&mut databases.read)
        .await
        .context("cannot read dead letters")?;
    let mut dead_letters: BTreeMap<Uuid, String> = dead_letters
        .into_iter()
        .map(|(event, number, reason)| (event, format!("dead letter {number}: {reason}")))
        .collect();
    let events: Vec<Description> = sqlx::query_as(include_str!("described.sql"))
        .bind(ids)
        .fetch_all(&mut databases.write)
        .await
        .context("cannot read events of the outbox")?;
    let line = |Description { id, event_type, committed_ago, published_ago }| {
        let committed = ago(committed_ago);
        let published = published_ago.map_or_else(
            || "not yet published".to_owned(),
            |time| format!("published {}", ago(time)),
        );
        let state = dead_letters.remove(&id).unwrap_or_else(|| "not in the views".to_owned());
        format!("event {id} ({event_type}, committed {committed}, {published}): {state}")
    };
    Ok(events.into_iter().map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_unapplied_uncommitted_or_external() {
        let mut events = Events { oldest_kept: Uuid::from_u128(1), ..Events::default() };
        let processed = |id, counted, is_dead_letter| Processed {
            id: Uuid::from_u128(id),
            counted,
            is_dead_letter,
        };
        let id = Uuid::from_u128;
        for pair in [
            Pair::Left(id(0)),
            Pair::Left(id(1)),
            Pair::Both(id(2), processed(2, true, false)),
            Pair::Both(id(3), processed(3, false, false)),
            Pair::Both(id(4), processed(4, true, true)),
            Pair::Right(processed(5, true, false)),
            Pair::Right(processed(6, false, false)),
            Pair::Right(processed(7, false, true)),
        ] {
            events.take(pair);
        }
        assert_eq!((events.committed, events.external), (5, 1));
        assert_eq!(events.unapplied, [id(1), id(4)]);
        assert_eq!(events.uncommitted, [id(5)]);
    }
}
