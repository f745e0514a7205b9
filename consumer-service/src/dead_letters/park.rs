//! Parking events.

use super::reason;
use crate::incoming::{Content, Incoming};
use crate::metrics::{PARKED, Why};
use chrono::{DateTime, Utc};
use service_runtime::amqp::{Defect, identity};
use service_runtime::trace;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use tracing::warn;
use uuid::Uuid;

/// A reason may quote a message, which can be long.
const MAX_REASON_CHARS: usize = 600;

/// An event to be parked.
#[derive(Debug)]
pub struct Letter<'a> {
    incoming: &'a Incoming,
    reason: String,
    /// Whether watermarks' counts go up by it, if it is parked.
    counts: bool,
    why: Why,
}

/// What became of letters.
#[derive(Debug, Default)]
pub struct Parked {
    /// How many events of our own outbox were counted by that.
    pub counted: i64,
    /// Why, of each that was not known before.
    new: Vec<Why>,
}

impl<'a> Letter<'a> {
    /// A delivery that could be read, and that the database refuses for that reason.
    pub fn of_refused(incoming: &'a Incoming, reason: String) -> Self {
        Self { incoming, reason, counts: incoming.ours, why: Why::Refused }
    }

    /// The letter that a delivery makes if it could not be read.
    pub fn of_unreadable(incoming: &'a Incoming) -> Option<Self> {
        match &incoming.content {
            Content::Unreadable { reason, .. } => {
                let (reason, counts) = (reason.clone(), incoming.ours);
                Some(Self { incoming, reason, counts, why: Why::Unreadable })
            }
            Content::Event(_) | Content::Watermark(_) | Content::Dropped => None,
        }
    }

    /// An event from before the time since when events are remembered. If it was
    /// applied, it was counted then; if it was not, lag is to tell of it until
    /// somebody has decided.
    pub fn of_forgotten(incoming: &'a Incoming, since: DateTime<Utc>) -> Self {
        let reason = reason::older_than_memory(since);
        Self { incoming, reason, counts: false, why: Why::Forgotten }
    }
}

impl Parked {
    /// Tells metrics. To be called when it is committed.
    pub fn count(&self) {
        for why in &self.new {
            PARKED.add_to(*why, 1);
        }
    }
}

/// Parks letters, each once however often it comes.
pub async fn park(connection: &mut PgConnection, letters: &[Letter<'_>]) -> sqlx::Result<Parked> {
    let mut outcome = Parked::default();
    // One by one: they are rare, and two of a batch may be the same.
    for Letter { incoming, reason, counts, why } in letters {
        let event_id: Option<Uuid> = incoming.event_id();
        let (property_section, body_bytes) = amqp(incoming);
        let digest = digest(incoming);
        let reason = storable(reason);
        let properties = &incoming.properties;
        let row = sqlx::query_file!(
            "src/dead_letters/park.sql",
            event_id,
            &digest,
            incoming.topic.name(),
            reason,
            incoming.body,
            counts,
            incoming.ours,
            properties.message_id.as_deref().map(storable),
            properties.sent_at,
            *why == Why::Forgotten,
            properties.kind.as_deref().map(storable),
            properties.app_id.as_deref().map(storable),
            properties.content_encoding.as_deref().map(storable),
            property_section,
            body_bytes,
        )
        .fetch_optional(&mut *connection)
        .await?;
        if let Some(row) = row {
            outcome.counted += i64::from(row.counted);
            if row.parked {
                trace::with(incoming.trace, || log(row.id, incoming));
                outcome.new.push(*why);
            }
        }
    }
    Ok(outcome)
}

/// SHA-256 of a message: of its body, and of its property section if that cannot be read.
pub fn digest(incoming: &Incoming) -> [u8; 32] {
    let (property_section, _) = amqp(incoming);
    let mut digest = Sha256::new_with_prefix(&incoming.body);
    digest.update(property_section.map(identity).unwrap_or_default());
    digest.finalize().into()
}

/// What is stored of a defective AMQP message beside its body: its property section, and
/// the original length of a body that was not received whole.
fn amqp(incoming: &Incoming) -> (Option<&[u8]>, Option<i64>) {
    let (properties, bytes) = match &incoming.defect {
        None => return (None, None),
        Some(Defect::Properties { raw, body_bytes, .. }) => (Some(&raw[..]), *body_bytes),
        Some(Defect::Body { bytes }) => (None, *bytes),
    };
    let is_whole = bytes == incoming.body.len() as u64;
    (properties, (!is_whole).then(|| i64::try_from(bytes).unwrap_or(i64::MAX)))
}

/// The reason is kept with the letter, and not logged: it may quote what is in the
/// event, which may be a person's.
fn log(letter: Option<i64>, incoming: &Incoming) {
    let event_id = incoming.event_id().map(|id| id.to_string()).unwrap_or_default();
    let (letter, queue) = (letter.unwrap_or_default(), incoming.topic.name());
    warn!(letter, event_id, queue, "parked an event: `cargo stack dead-letters show` says why");
}

/// A text as it can be stored: PostgreSQL has no NUL.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}").chars().take(MAX_REASON_CHARS).collect()
}
