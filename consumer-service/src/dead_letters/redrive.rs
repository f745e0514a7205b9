//! Having a dead letter applied after all.

use super::park::storable;
use crate::apply::{self, Memory};
use crate::dead_letters::refused_by_database;
use crate::external;
use crate::incoming::{Content, Incoming, Message, Properties};
use crate::metrics::{REDRIVES, Redrive};
use service_runtime::clock::database_now;
use service_runtime::postgres::TransactionConnection;
use shared_events::Topic;
use sqlx::{Connection, PgConnection, PgPool};

/// What became of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is no such letter.
    NotFound,
    /// Its event is applied now, and the letter is gone.
    Applied,
    /// Its event had been applied already, and the letter is gone.
    KnownAlready,
    /// It cannot be applied, for this reason.
    Refused(String),
}

impl Outcome {
    /// The value for metrics; none if there was nothing to apply.
    const fn counted(&self) -> Option<Redrive> {
        match self {
            Self::NotFound => None,
            Self::Applied => Some(Redrive::Applied),
            Self::KnownAlready => Some(Redrive::Known),
            Self::Refused(_) => Some(Redrive::Refused),
        }
    }
}

/// Applies a letter's event, records it as processed and deletes the letter, all in
/// one transaction. One that may have been applied before, as it is older than the
/// memory of processed events, only if that is said to be right (`anyway`).
///
/// # Errors
/// If the database could not do its part; the letter is as it was then.
pub async fn redrive(pool: &PgPool, id: i64, anyway: bool) -> sqlx::Result<Outcome> {
    let outcome = match try_to_apply(pool, id, anyway).await {
        Err(error) if apply::is_bad_data(&error) => Outcome::Refused(refused_by_database(&error)),
        outcome => outcome?,
    };
    if let Outcome::Refused(reason) = &outcome {
        sqlx::query!("UPDATE dead_letters SET reason = $2 WHERE id = $1", id, storable(reason))
            .execute(pool)
            .await?;
    }
    if let Some(counted) = outcome.counted() {
        REDRIVES.add_to(counted, 1);
    }
    Ok(outcome)
}

async fn try_to_apply(pool: &PgPool, id: i64, anyway: bool) -> sqlx::Result<Outcome> {
    let mut connection = TransactionConnection::acquire(pool).await?;
    let outcome = apply::in_time(apply_on(&mut connection, id, anyway)).await?;
    connection.done();
    Ok(outcome)
}

async fn apply_on(connection: &mut PgConnection, id: i64, anyway: bool) -> sqlx::Result<Outcome> {
    let mut transaction = connection.begin_with(apply::BEGIN_ALONE).await?;
    let letter = sqlx::query!(
        "SELECT event_id, queue, reason, body, body_bytes, ours, forgotten, message_id, sent_at, kind,
                app_id, content_encoding
         FROM dead_letters
         WHERE id = $1
         FOR UPDATE",
        id,
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(letter) = letter else { return Ok(Outcome::NotFound) };
    let Ok(topic) = letter.queue.parse::<Topic>() else {
        return Ok(Outcome::Refused(format!("its queue {:?} is unknown", letter.queue)));
    };
    if letter.body_bytes.is_some() {
        return Ok(Outcome::Refused(letter.reason));
    }
    let message = Message {
        is_from_publisher: letter.ours,
        properties: Properties {
            kind: letter.kind,
            app_id: letter.app_id,
            content_encoding: letter.content_encoding,
            // The event's id, if it is known: a message id may be stored with replacements.
            message_id: letter.event_id.map(|id| id.to_string()).or(letter.message_id),
            sent_at: letter.sent_at,
        },
        trace: None,
        body: letter.body,
        defect: None,
    };
    let batch = [Incoming::read(topic, message, database_now())];
    let batch = external::settle(&mut transaction, &batch).await?;
    if let [Incoming { content: Content::Unreadable { reason, .. }, .. }] = &*batch {
        return Ok(Outcome::Refused(reason.clone()));
    }
    if letter.forgotten && !anyway {
        return Ok(Outcome::Refused(letter.reason));
    }
    // Any other letter is known not to have been applied: it would be gone.
    let settled = apply::apply_in(&mut transaction, &batch, Memory::Ignored).await?;
    sqlx::query!("DELETE FROM dead_letters WHERE id = $1", id).execute(&mut *transaction).await?;
    transaction.commit().await?;
    settled.count(topic);
    Ok(if settled.applied == 0 { Outcome::KnownAlready } else { Outcome::Applied })
}
