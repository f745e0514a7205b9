//! Which events are in the views.

use crate::databases::{Databases, failure};
use crate::merge::{Pair, merge};
use crate::progress::Progress;
use crate::report::grouped;
use anyhow::{Context, Result};
use futures::{Stream, TryStreamExt};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a look found of events.
#[derive(Debug, Default)]
pub struct Events {
    /// How many were ever committed.
    pub committed: u64,
    /// Committed, but not in the views: on their way, lost, or parked. Ascending.
    pub unseen: Vec<Uuid>,
    /// Dealt with as ours, but not committed. Ascending.
    pub uncommitted: Vec<Uuid>,
    /// How many are in the views that others have sent straight to the queues.
    pub strangers: u64,
    /// Of those below, nobody remembers whether they were applied; the views show it.
    remembered_from: Uuid,
}

/// What the read side did with an event.
struct DealtWith {
    id: Uuid,
    /// Our own copy was seen.
    counted: bool,
    /// It is a dead letter, not in the views.
    parked: bool,
}

/// What is known of an event in the outbox.
#[derive(Debug, sqlx::FromRow)]
pub struct Description {
    /// Its id.
    pub id: Uuid,
    /// Topic and type.
    pub kind: String,
    /// Seconds since it was written.
    pub committed_ago: i64,
    /// Seconds since the broker confirmed it; none if it did not.
    pub published_ago: Option<i64>,
}

impl Events {
    /// Compares what was committed with what was dealt with.
    ///
    /// # Errors
    /// If a statement fails.
    pub async fn compare(databases: &mut Databases, progress: &Progress<'_>) -> Result<Self> {
        let mut events =
            Self { remembered_from: remembered_from(databases).await?, ..Self::default() };
        let order = |committed: &Uuid, dealt_with: &DealtWith| Ok(committed.cmp(&dealt_with.id));
        let (write, read) = (&mut databases.write, &mut databases.read);
        merge(committed(write), dealt_with(read), order, |pair| {
            progress.tell(|| format!("comparing events: {}", grouped(events.committed)));
            events.take(pair);
            Ok(())
        })
        .await?;
        Ok(events)
    }

    fn take(&mut self, pair: Pair<Uuid, DealtWith>) {
        self.committed += u64::from(!matches!(pair, Pair::Right(_)));
        match pair {
            Pair::Left(id) if id < self.remembered_from => {}
            Pair::Left(id) => self.unseen.push(id),
            Pair::Both(id, DealtWith { parked: true, .. }) => self.unseen.push(id),
            // If it is not counted, a stranger's copy was applied before ours.
            Pair::Both(_, DealtWith { parked: false, .. }) => {}
            Pair::Right(DealtWith { id, counted: true, .. }) => self.uncommitted.push(id),
            Pair::Right(DealtWith { parked, .. }) => self.strangers += u64::from(!parked),
        }
    }
}

/// The lowest id of the events that are all remembered.
async fn remembered_from(databases: &mut Databases) -> Result<Uuid> {
    let lowest: Option<Uuid> = sqlx::query_scalar(include_str!("memory.sql"))
        .fetch_one(&mut databases.read)
        .await
        .map_err(|error| failed(error, "read"))?;
    Ok(lowest.unwrap_or_default())
}

/// The ids of the outbox.
fn committed(connection: &mut PgConnection) -> impl Stream<Item = Result<Uuid>> {
    sqlx::query_scalar(include_str!("committed.sql"))
        .fetch(connection)
        .map_err(|error| failed(error, "write"))
}

/// What the read side has dealt with. The only place that knows which events
/// these are.
fn dealt_with(connection: &mut PgConnection) -> impl Stream<Item = Result<DealtWith>> {
    sqlx::query_as(include_str!("dealt_with.sql"))
        .fetch(connection)
        .map_ok(|(id, counted, parked)| DealtWith { id, counted, parked })
        .map_err(|error| failed(error, "read"))
}

fn failed(error: sqlx::Error, side: &str) -> anyhow::Error {
    failure(error, &format!("cannot read the events of the {side} database"))
}

/// What the outbox says of events.
///
/// # Errors
/// If the statement fails.
pub async fn describe(databases: &mut Databases, ids: &[Uuid]) -> Result<Vec<Description>> {
    sqlx::query_as(include_str!("described.sql"))
        .bind(ids)
        .fetch_all(&mut databases.write)
        .await
        .context("cannot read events of the outbox")
}

/// The numbers and reasons of the dead letters among events.
///
/// # Errors
/// If the statement fails.
pub async fn letters(
    databases: &mut Databases,
    ids: &[Uuid],
) -> Result<BTreeMap<Uuid, (i64, String)>> {
    let letters: Vec<(Uuid, i64, String)> = sqlx::query_as(include_str!("letters.sql"))
        .bind(ids)
        .fetch_all(&mut databases.read)
        .await
        .context("cannot read dead letters")?;
    Ok(letters.into_iter().map(|(event, number, reason)| (event, (number, reason))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_unseen_uncommitted_or_a_strangers() {
        let mut events = Events { remembered_from: Uuid::from_u128(1), ..Events::default() };
        let dealt_with =
            |id, counted, parked| DealtWith { id: Uuid::from_u128(id), counted, parked };
        let id = Uuid::from_u128;
        for pair in [
            Pair::Left(id(0)),
            Pair::Left(id(1)),
            Pair::Both(id(2), dealt_with(2, true, false)),
            Pair::Both(id(3), dealt_with(3, false, false)),
            Pair::Both(id(4), dealt_with(4, true, true)),
            Pair::Right(dealt_with(5, true, false)),
            Pair::Right(dealt_with(6, false, false)),
            Pair::Right(dealt_with(7, false, true)),
        ] {
            events.take(pair);
        }
        assert_eq!((events.committed, events.strangers), (5, 1));
        assert_eq!(events.unseen, [id(1), id(4)]);
        assert_eq!(events.uncommitted, [id(5)]);
    }
}
