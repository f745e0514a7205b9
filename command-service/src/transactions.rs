//! Transactions that are carried through.

use crate::outbox;
use service_runtime::problem::Problem;
use shared_events::Event;
use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;

/// How a command's transaction begins. Whoever holds a lock for longer is an
/// operator, or in trouble; waiting on would only take connections from others.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '1s'";

/// Runs a command in a task of its own, so that it goes on to its end when its
/// client leaves.
///
/// A transaction dropped in mid-flight, between BEGIN and its answer, would
/// return to the pool still open, and swallow whatever is written on that
/// connection next (transact-rs/sqlx#4385).
pub async fn to_the_end<T: Send + 'static>(
    command: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    tokio::spawn(command).await.unwrap_or_else(|error| Err(Problem::internal(&error)))
}

/// Begins a command's transaction.
pub async fn begin(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    pool.begin_with(BEGIN).await
}

/// Appends the event that tells of what a transaction changed, and commits.
/// Returns the event's id.
///
/// # Errors
/// 503 if the answer to COMMIT was lost or is an error: then nobody here knows
/// whether the transaction took effect, and it must not be run again.
pub async fn commit_with(
    mut transaction: Transaction<'_, Postgres>,
    event: Event,
) -> Result<Uuid, Problem> {
    outbox::append(&mut transaction, &event).await?;
    transaction.commit().await.map_err(|error| {
        tracing::warn!("outcome of a commit unknown: {error}");
        outcome_unknown()
    })?;
    Ok(event.envelope.event_id)
}

/// 503: the command may have taken effect or not.
pub fn outcome_unknown() -> Problem {
    Problem::unavailable("Outcome unknown").detail(
        "The database was lost while it committed: the request took effect wholly or not at \
         all. Look whether it did before you repeat it.",
    )
}
