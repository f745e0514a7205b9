//! Dead letters: messages that cannot be applied, stored with their bytes and the reason, so
//! that the messages behind them are not blocked. Operators inspect, redrive or discard them:
//! see `dead_letter_admin`.

use crate::dead_letter_reasons::without_record;
use crate::decoded_message::{Content, DecodedMessage};
use crate::metrics::{Cause, DEAD_LETTERS, DEAD_LETTERS_STORED};
use chrono::{DateTime, Utc};
use service_runtime::amqp::{Defect, identity};
use service_runtime::{tasks, trace};
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Limit of a stored reason, which may quote a long message.
const MAX_REASON_CHARS: usize = 600;

/// Interval between counts.
const COUNT_INTERVAL: Duration = Duration::from_secs(5);

/// A message to be stored as a dead letter.
#[derive(Debug)]
pub struct DeadLetter<'a> {
    message: &'a DecodedMessage,
    reason: String,
    /// Whether watermarks count it.
    counts: bool,
    cause: Cause,
}

/// The result of storing dead letters.
#[derive(Debug, Default)]
pub struct Stored {
    /// Number of events of our own outbox that were counted.
    pub counted: i64,
    /// The cause of each new dead letter.
    new: Vec<Cause>,
}

impl<'a> DeadLetter<'a> {
    /// A readable event that the database refuses.
    pub fn of_refused(message: &'a DecodedMessage, reason: String) -> Self {
        Self { message, reason, counts: message.ours, cause: Cause::Refused }
    }

    /// An unreadable message; none for any other.
    pub fn of_unreadable(message: &'a DecodedMessage) -> Option<Self> {
        let Content::Unreadable { reason, .. } = &message.content else { return None };
        let (reason, counts) = (reason.clone(), message.ours);
        Some(Self { message, reason, counts, cause: Cause::Unreadable })
    }

    /// An event older than the deduplication records. It is not counted: if it was applied, it
    /// was counted then; if it was not, the lag must show it until an operator decides.
    pub fn of_expired(message: &'a DecodedMessage, since: DateTime<Utc>) -> Self {
        let reason = without_record(since);
        Self { message, reason, counts: false, cause: Cause::Expired }
    }
}

impl Stored {
    /// Updates metrics. Must be called after the commit.
    pub fn count(&self) {
        for cause in &self.new {
            DEAD_LETTERS_STORED.of(*cause).increment(1);
        }
    }
}

/// Stores dead letters, each once however often it is delivered.
pub async fn store(
    connection: &mut PgConnection,
    dead_letters: &[DeadLetter<'_>],
) -> sqlx::Result<Stored> {
    let mut outcome = Stored::default();
    // One by one, because dead letters are rare and a batch may contain one twice.
    for DeadLetter { message, reason, counts, cause } in dead_letters {
        let (property_section, body_bytes) = amqp(message);
        let digest = digest(message);
        let reason = storable(reason);
        let properties = &message.raw.properties;
        let row = sqlx::query_file!(
            "src/dead_letters/store.sql",
            message.event_id(),
            &digest,
            message.topic.name(),
            reason,
            message.raw.body,
            counts,
            message.ours,
            properties.message_id.as_deref().map(storable),
            properties.sent_at,
            *cause == Cause::Expired,
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
            if row.is_new {
                trace::with(message.raw.trace, || log(row.id, message));
                outcome.new.push(*cause);
            }
        }
    }
    Ok(outcome)
}

/// SHA-256 of the body, and of the property section if that is unreadable.
pub fn digest(message: &DecodedMessage) -> [u8; 32] {
    let (property_section, _) = amqp(message);
    let mut digest = Sha256::new_with_prefix(&message.raw.body);
    digest.update(property_section.map(identity).unwrap_or_default());
    digest.finalize().into()
}

/// The unreadable property section of a defective AMQP message, and the original length of a
/// body that was not received as a whole.
fn amqp(message: &DecodedMessage) -> (Option<&[u8]>, Option<i64>) {
    let (properties, bytes) = match &message.raw.defect {
        None => return (None, None),
        Some(Defect::Properties { raw, body_bytes, .. }) => (Some(&raw[..]), *body_bytes),
        Some(Defect::Body { bytes }) => (None, *bytes),
    };
    let is_whole = bytes == message.raw.body.len() as u64;
    (properties, (!is_whole).then(|| i64::try_from(bytes).unwrap_or(i64::MAX)))
}

/// The reason is stored but not logged, because it may quote personal data of the event.
fn log(id: Option<i64>, message: &DecodedMessage) {
    let event_id = message.event_id().map(|id| id.to_string()).unwrap_or_default();
    let (dead_letter, queue) = (id.unwrap_or_default(), message.topic.name());
    warn!(
        dead_letter,
        event_id,
        queue,
        "stored a dead letter: `cargo stack dead-letters show {dead_letter}` shows the reason"
    );
}

/// A string that PostgreSQL can store: without NUL.
pub fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}").chars().take(MAX_REASON_CHARS).collect()
}

/// Counts dead letters for the metric until shutdown.
pub async fn count(pool: PgPool, shutdown: CancellationToken) {
    tasks::repeat(COUNT_INTERVAL, shutdown, || async {
        let counted = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM dead_letters"#);
        // A missing database is reported by health.
        if let Ok(Ok(count)) = timeout(COUNT_INTERVAL, counted.fetch_one(&pool)).await {
            DEAD_LETTERS.set(count as f64);
        }
    })
    .await;
}
