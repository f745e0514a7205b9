//! Events that cannot be applied are kept, with their bytes and the reason,
//! and what is behind them flows on.

use crate::incoming::{Content, Incoming};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use tracing::warn;
use uuid::Uuid;

/// A reason may quote what a stranger wrote, however long that is.
const MAX_REASON_CHARS: usize = 500;

/// An event to be parked.
#[derive(Debug)]
pub struct Letter<'a> {
    incoming: &'a Incoming,
    reason: String,
}

impl<'a> Letter<'a> {
    /// A delivery that cannot be applied, and why.
    pub fn new(incoming: &'a Incoming, reason: String) -> Self {
        Self { incoming, reason }
    }

    /// The letter that a delivery makes if it could not be read.
    pub fn of_unreadable(incoming: &'a Incoming) -> Option<Self> {
        match &incoming.content {
            Content::Unreadable { reason, .. } => Some(Self::new(incoming, reason.clone())),
            Content::Event(_) | Content::Watermark(_) => None,
        }
    }
}

/// Parks letters, each once however often it comes. Returns how many events of
/// our own outbox were counted by that.
pub async fn park(connection: &mut PgConnection, letters: &[Letter<'_>]) -> sqlx::Result<i64> {
    let mut counted = 0;
    // One by one: they are rare, and two of a batch may be the same.
    for Letter { incoming, reason } in letters {
        let event_id: Option<Uuid> = incoming.event_id();
        let digest: [u8; 32] = Sha256::digest(&incoming.body).into();
        // PostgreSQL cannot store a NUL in a text.
        let reason: String =
            reason.replace('\0', "\u{fffd}").chars().take(MAX_REASON_CHARS).collect();
        let row = sqlx::query_file!(
            "src/park.sql",
            event_id,
            &digest,
            incoming.topic.name(),
            reason,
            incoming.body,
            incoming.ours,
        )
        .fetch_optional(&mut *connection)
        .await?;
        if let Some(row) = row {
            counted += i64::from(row.counted);
            if row.parked {
                warn!(?event_id, queue = incoming.topic.name(), "parked an event: {reason}");
                metrics::counter!("events_parked_total").increment(1);
            }
        }
    }
    Ok(counted)
}
