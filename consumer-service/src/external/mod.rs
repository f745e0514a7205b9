//! Checks of external events that need the database.
//!
//! They run in the transaction that applies the events. Lines of an order get names and
//! categories from the catalogue. An event becomes a dead letter if its id was used
//! before for another content, if it creates an existing aggregate, or if its products
//! are not in the catalogue. Our own events are always applied, and a batch of them costs
//! nothing here.
//!
//! A transaction with external events holds the exclusive form of
//! [`LOCK`](crate::apply::LOCK), so what it reads here does not change until it commits.

mod aggregates;
mod catalogue;
#[cfg(test)]
mod database_tests;

use crate::dead_letters::{self, other_content};
use crate::incoming::{Content, Incoming};
use aggregates::Aggregates;
use catalogue::Catalogue;
use sha2::{Digest, Sha256};
use shared_events::Event;
use sqlx::PgConnection;
use std::borrow::Cow;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Whether the transaction of a batch needs the exclusive lock.
pub fn any(batch: &[Incoming]) -> bool {
    batch.iter().any(|incoming| !incoming.ours && incoming.event_id().is_some())
}

/// The batch to apply: its external events are completed, or marked as unreadable with
/// the reason why they cannot be applied.
pub async fn settle<'a>(
    connection: &mut PgConnection,
    batch: &'a [Incoming],
) -> sqlx::Result<Cow<'a, [Incoming]>> {
    if !any(batch) {
        return Ok(Cow::Borrowed(batch));
    }
    let external = || batch.iter().filter(|incoming| !incoming.ours);
    let events = || external().filter_map(Incoming::event);
    let mut used = Used::load(connection, batch).await?;
    let mut aggregates = Aggregates::load(connection, events()).await?;
    let catalogue = Catalogue::load(connection, events()).await?;
    let mut settled = batch.to_vec();
    for incoming in settled.iter_mut().filter(|incoming| !incoming.ours) {
        let is_unreadable = matches!(incoming.content, Content::Unreadable { .. });
        let letter_digest = is_unreadable.then(|| dead_letters::digest(incoming));
        let outcome = match &mut incoming.content {
            Content::Event(event) => match used.check(event.envelope.event_id, incoming.digest) {
                Known::Other => Err((None, other_content(event.envelope.event_id))),
                Known::Same => Ok(()),
                Known::No => catalogue
                    .complete(event)
                    .and_then(|()| aggregates.check(event))
                    .map(|()| used.take(event.envelope.event_id, incoming.digest))
                    .map_err(|reason| (Some(event.envelope.event_id), reason)),
            },
            Content::Unreadable { event_id: Some(id), reason } => {
                if used.is_another_letter(*id, letter_digest) {
                    // Kept by its bytes: the id stands for another one.
                    Err((None, format!("{reason} {}", other_content(*id))))
                } else {
                    Ok(())
                }
            }
            Content::Unreadable { .. } | Content::Watermark(_) | Content::Dropped => Ok(()),
        };
        if let Err((event_id, reason)) = outcome {
            incoming.content = Content::Unreadable { event_id, reason };
        }
    }
    aggregates.note(connection).await?;
    Ok(Cow::Owned(settled))
}

type Sha = [u8; 32];

/// Whether an event is known.
enum Known {
    /// Its id is new.
    No,
    /// It was processed, or is in the batch already.
    Same,
    /// Its id was used for another content.
    Other,
}

/// Event ids that were used before.
struct Used {
    /// Of processed events and those of this batch: the digest, none if unknown.
    processed: BTreeMap<Uuid, Option<Sha>>,
    /// Of dead letters: the digest of the bytes.
    letters: BTreeMap<Uuid, Sha>,
}

impl Used {
    async fn load(connection: &mut PgConnection, batch: &[Incoming]) -> sqlx::Result<Self> {
        let mut used = Self { processed: BTreeMap::new(), letters: BTreeMap::new() };
        let external = batch.iter().filter(|incoming| !incoming.ours);
        let ids: Vec<Uuid> = external.filter_map(Incoming::event_id).collect();
        let rows = sqlx::query_file!("src/external/known.sql", &ids).fetch_all(connection).await?;
        for row in rows {
            let digest = row.digest.and_then(|digest| digest.try_into().ok());
            if row.processed {
                used.processed.insert(row.event_id, digest);
            } else if let Some(digest) = digest {
                used.letters.insert(row.event_id, digest);
            }
        }
        // If this batch has our copy and another one, ours is applied, whatever its
        // position.
        for event in batch.iter().filter(|incoming| incoming.ours).filter_map(Incoming::event) {
            if ids.contains(&event.envelope.event_id) {
                used.processed.insert(event.envelope.event_id, Some(digest_of(event)));
            }
        }
        Ok(used)
    }

    fn take(&mut self, id: Uuid, digest: Option<Sha>) {
        self.processed.insert(id, digest);
    }

    fn check(&self, id: Uuid, digest: Option<Sha>) -> Known {
        match self.processed.get(&id) {
            None => Known::No,
            // Our own events, and those processed by older versions, have no digest.
            Some(known) if known.is_none() || *known == digest => Known::Same,
            Some(_) => Known::Other,
        }
    }

    /// Whether an unreadable event has the id of a processed event, or of a dead letter
    /// with other bytes.
    fn is_another_letter(&mut self, id: Uuid, bytes: Option<Sha>) -> bool {
        let Some(bytes) = bytes else { return false };
        matches!(self.processed.get(&id), Some(Some(_)))
            || *self.letters.entry(id).or_insert(bytes) != bytes
    }
}

/// The digest of an event's content.
pub fn digest_of(event: &Event) -> Sha {
    Sha256::digest(event.content()).into()
}
