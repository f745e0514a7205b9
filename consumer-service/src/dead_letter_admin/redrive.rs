//! Redrives dead letters: applies them again.

use crate::apply::{self, AgeLimit};
use crate::dead_letter_reasons::refused_by_database;
use crate::dead_letters::storable;
use crate::decoded_message::{Content, DecodedMessage, Properties, RawMessage};
use crate::external;
use crate::metrics::{REDRIVES, Redrive};
use service_runtime::clock::database_now;
use service_runtime::postgres::{acquire_for_transaction, done, in_time};
use shared_events::Topic;
use sqlx::{Connection, PgConnection, PgPool};

/// The result of a redrive.
pub enum Outcome {
    /// There is no dead letter with this id.
    NotFound,
    /// Its event is applied, and the dead letter is deleted.
    Applied,
    /// Its event was applied before, and the dead letter is deleted.
    KnownAlready,
    /// It cannot be applied for this reason.
    Refused(String),
}

/// Applies the event of a dead letter and deletes the dead letter in one transaction. An event
/// older than the deduplication records may have been applied before and is only applied with
/// `anyway`.
///
/// # Errors
/// If the database failed. The dead letter is unchanged then.
pub async fn redrive(pool: &PgPool, id: i64, anyway: bool) -> sqlx::Result<Outcome> {
    let outcome = match try_to_apply(pool, id, anyway).await {
        Err(error) if apply::is_bad_data(&error) => Outcome::Refused(refused_by_database(&error)),
        outcome => outcome?,
    };
    let counted = match &outcome {
        Outcome::NotFound => return Ok(outcome),
        Outcome::Applied => Redrive::Applied,
        Outcome::KnownAlready => Redrive::Known,
        Outcome::Refused(reason) => {
            sqlx::query!("UPDATE dead_letters SET reason = $2 WHERE id = $1", id, storable(reason))
                .execute(pool)
                .await?;
            Redrive::Refused
        }
    };
    REDRIVES.of(counted).increment(1);
    Ok(outcome)
}

async fn try_to_apply(pool: &PgPool, id: i64, anyway: bool) -> sqlx::Result<Outcome> {
    let mut connection = acquire_for_transaction(pool).await?;
    let outcome = in_time(apply::DEADLINE, apply_on(&mut connection, id, anyway)).await?;
    done(connection);
    Ok(outcome)
}

async fn apply_on(connection: &mut PgConnection, id: i64, anyway: bool) -> sqlx::Result<Outcome> {
    let mut transaction = connection.begin_with(apply::BEGIN_EXCLUSIVE).await?;
    let stored = sqlx::query!(
        "SELECT event_id, queue, reason, body, body_bytes, ours, forgotten, message_id, sent_at, kind,
                app_id, content_encoding
         FROM dead_letters
         WHERE id = $1
         FOR UPDATE",
        id,
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(stored) = stored else { return Ok(Outcome::NotFound) };
    let Ok(topic) = stored.queue.parse::<Topic>() else {
        return Ok(Outcome::Refused(format!("its queue {:?} is unknown", stored.queue)));
    };
    if stored.body_bytes.is_some() {
        return Ok(Outcome::Refused(stored.reason));
    }
    let message = RawMessage {
        is_from_publisher: stored.ours,
        properties: Properties {
            kind: stored.kind,
            app_id: stored.app_id,
            content_encoding: stored.content_encoding,
            // The event id, if known: characters of a stored message id may be replaced.
            message_id: stored.event_id.map(|id| id.to_string()).or(stored.message_id),
            sent_at: stored.sent_at,
        },
        body: stored.body,
        ..RawMessage::default()
    };
    let batch = [DecodedMessage::decode(topic, message, database_now())];
    let batch = external::check(&mut transaction, &batch).await?;
    if let [DecodedMessage { content: Content::Unreadable { reason, .. }, .. }] = &*batch {
        return Ok(Outcome::Refused(reason.clone()));
    }
    if stored.forgotten && !anyway {
        return Ok(Outcome::Refused(stored.reason));
    }
    // Any other dead letter was not applied, else it would be deleted.
    let applied = apply::apply_in(&mut transaction, &batch, AgeLimit::Ignored).await?;
    sqlx::query!("DELETE FROM dead_letters WHERE id = $1", id).execute(&mut *transaction).await?;
    transaction.commit().await?;
    applied.count(topic);
    Ok(if applied.events == 0 { Outcome::KnownAlready } else { Outcome::Applied })
}
