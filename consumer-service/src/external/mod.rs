//! Checks external events against the database.
//!
//! The checks run in the transaction that applies the events. Order lines get missing names and
//! categories from the catalogue. An event becomes a dead letter if its id was used before for
//! different content, if it creates an existing aggregate, or if its products are not in the
//! catalogue. Our own events are always applied without these checks.
//!
//! A transaction with external events holds the exclusive form of
//! [`LOCK`](crate::apply::LOCK), so what it reads here does not change until it commits.

mod aggregates;
mod catalogue;
#[cfg(test)]
mod database_tests;

use crate::dead_letter_reasons::other_content;
use crate::dead_letters;
use crate::decoded_message::{Content, DecodedMessage};
use aggregates::Aggregates;
use catalogue::Catalogue;
use sha2::{Digest, Sha256};
use shared_events::Event;
use sqlx::PgConnection;
use std::borrow::Cow;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Whether a batch has external events, so that its transaction needs the exclusive lock.
pub fn any(batch: &[DecodedMessage]) -> bool {
    batch.iter().any(|message| !message.ours && message.event_id().is_some())
}

/// Returns the batch with its external events completed, or marked as unreadable with the
/// reason why they cannot be applied.
pub async fn check<'a>(
    connection: &mut PgConnection,
    batch: &'a [DecodedMessage],
) -> sqlx::Result<Cow<'a, [DecodedMessage]>> {
    if !any(batch) {
        return Ok(Cow::Borrowed(batch));
    }
    let external = || batch.iter().filter(|message| !message.ours);
    let events = || external().filter_map(DecodedMessage::event);
    let mut used = UsedIds::load(connection, batch).await?;
    let mut aggregates = Aggregates::load(connection, events()).await?;
    let catalogue = Catalogue::load(connection, events()).await?;
    let mut checked = batch.to_vec();
    for message in checked.iter_mut().filter(|message| !message.ours) {
        let is_unreadable = matches!(message.content, Content::Unreadable { .. });
        let byte_digest = is_unreadable.then(|| dead_letters::digest(message));
        let outcome = match &mut message.content {
            Content::Event(event) => match used.check(event.envelope.event_id, message.digest) {
                Use::OtherContent => Err((None, other_content(event.envelope.event_id))),
                Use::SameContent => Ok(()),
                Use::None => catalogue
                    .complete(event)
                    .and_then(|()| aggregates.check(event))
                    .map(|()| {
                        used.processed.insert(event.envelope.event_id, message.digest);
                    })
                    .map_err(|reason| (Some(event.envelope.event_id), reason)),
            },
            Content::Unreadable { event_id: Some(id), reason } => {
                if used.is_other_dead_letter(*id, byte_digest) {
                    // Identified by its bytes, because the id belongs to another event.
                    Err((None, format!("{reason} {}", other_content(*id))))
                } else {
                    Ok(())
                }
            }
            Content::Unreadable { .. } | Content::Watermark(_) | Content::InvalidWatermark => {
                Ok(())
            }
        };
        if let Err((event_id, reason)) = outcome {
            message.content = Content::Unreadable { event_id, reason };
        }
    }
    aggregates.record(connection).await?;
    Ok(Cow::Owned(checked))
}

type Sha = [u8; 32];

/// The earlier use of an event id.
enum Use {
    /// The id is new.
    None,
    /// The event was processed, or is in the batch already.
    SameContent,
    /// The id was used for different content.
    OtherContent,
}

/// Event ids that were used before.
struct UsedIds {
    /// Processed events and those of this batch, with the digest if known.
    processed: BTreeMap<Uuid, Option<Sha>>,
    /// Dead letters, with the digest of the bytes.
    dead_letters: BTreeMap<Uuid, Sha>,
}

impl UsedIds {
    async fn load(connection: &mut PgConnection, batch: &[DecodedMessage]) -> sqlx::Result<Self> {
        let mut used = Self { processed: BTreeMap::new(), dead_letters: BTreeMap::new() };
        let external = batch.iter().filter(|message| !message.ours);
        let ids: Vec<Uuid> = external.filter_map(DecodedMessage::event_id).collect();
        let rows = sqlx::query_file!("src/external/used_event_ids.sql", &ids)
            .fetch_all(connection)
            .await?;
        for row in rows {
            let digest = row.digest.and_then(|digest| digest.try_into().ok());
            if row.processed {
                used.processed.insert(row.event_id, digest);
            } else if let Some(digest) = digest {
                used.dead_letters.insert(row.event_id, digest);
            }
        }
        // If this batch has our own and an external copy, our own is applied at any
        // position.
        for event in batch.iter().filter(|message| message.ours).filter_map(DecodedMessage::event) {
            if ids.contains(&event.envelope.event_id) {
                used.processed.insert(event.envelope.event_id, Some(digest_of(event)));
            }
        }
        Ok(used)
    }

    fn check(&self, id: Uuid, digest: Option<Sha>) -> Use {
        match self.processed.get(&id) {
            None => Use::None,
            // Our own events, and those processed by older versions, have no digest.
            Some(known) if known.is_none() || *known == digest => Use::SameContent,
            Some(_) => Use::OtherContent,
        }
    }

    /// Whether an unreadable event has the id of a processed event, or of a dead letter with
    /// other bytes.
    fn is_other_dead_letter(&mut self, id: Uuid, bytes: Option<Sha>) -> bool {
        let Some(bytes) = bytes else { return false };
        matches!(self.processed.get(&id), Some(Some(_)))
            || *self.dead_letters.entry(id).or_insert(bytes) != bytes
    }
}

/// The digest of an event's content.
pub fn digest_of(event: &Event) -> Sha {
    Sha256::digest(event.content()).into()
}
