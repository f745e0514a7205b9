//! Begin and commit of a command's transaction.

use crate::idempotency::{Key, StoredResponse, is_duplicate};
use crate::outbox;
use crate::response::{CommandResponse, CommandResult};
use serde::Serialize;
use service_runtime::log_limit::LogLimit;
use service_runtime::postgres::{is_timeout, may_have_committed};
use service_runtime::problem::Problem;
use shared_events::{Event, Money};
use sqlx::types::Decimal;
use sqlx::{PgPool, Postgres, Transaction};
use tracing::warn;

/// Limits log lines about unknown outcomes.
static LOGGED: LogLimit = LogLimit::new();

/// Begins a transaction with a lock timeout. Locks are rarely held for longer, and a longer
/// wait would only keep connections from other commands.
const BEGIN: &str = "BEGIN; SET LOCAL lock_timeout = '1s'";

/// Begins a command's transaction. It is rolled back if it is dropped.
///
/// BEGIN runs in a task of its own, because the deadline of a command can drop this future. A
/// BEGIN that is dropped before its response returns its connection to the pool with an open
/// transaction (transact-rs/sqlx#4385). The task receives the response and rolls back.
pub async fn begin(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    let pool = pool.clone();
    let beginning = tokio::spawn(async move { pool.begin_with(BEGIN).await });
    beginning.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}

/// Appends the event of the change, stores the response if the command has an idempotency key,
/// and commits. Returns the response, with the changed resource as body.
///
/// # Errors
/// 503 if COMMIT failed. If its response was lost, the outcome is unknown, and the
/// transaction must not be run again.
pub async fn commit(
    mut transaction: Transaction<'_, Postgres>,
    event: Event,
    location: Option<String>,
    resource: &impl Serialize,
    key: Option<Key>,
) -> CommandResult {
    let response = CommandResponse::new(Some(event.envelope.event_id), location, resource)?;
    let kept = key.as_ref().and_then(|key| StoredResponse::new(key, response.clone()));
    outbox::append(&mut transaction, &[event], kept).await.map_err(refused)?;
    transaction.commit().await.map_err(|error| {
        if may_have_committed(&error) { outcome_unknown(&error) } else { refused(error) }
    })?;
    Ok(response)
}

/// The response to a failure without effect.
pub fn refused(error: sqlx::Error) -> Problem {
    if is_duplicate(&error) {
        // The stored response is looked up next, and returned instead of this one.
        Problem::unavailable("Service busy")
            .detail("The same command was executed at the same time. Send it again.")
    } else {
        error.into()
    }
}

/// 503: the command may have taken effect or not. The reason is logged at most once in
/// [10 s](service_runtime::log_limit::INTERVAL), separately for lost connections and for
/// late responses.
pub fn outcome_unknown(error: &sqlx::Error) -> Problem {
    let key = if is_timeout(error) { "no response" } else { "lost" };
    if let Some(suppressed) = LOGGED.admit(key) {
        warn!(suppressed, "the outcome of a command is unknown: {error}");
    }
    Problem::unavailable("Outcome unknown").detail(
        "The database was lost while it committed, or did not respond in time: the request took \
         effect wholly or not at all. If it had an Idempotency-Key, send it again with the same \
         key: it takes effect once. Otherwise check whether it did before you repeat it.",
    )
}

/// An amount of money of a row.
pub fn money(amount: Decimal) -> sqlx::Result<Money> {
    Money::from_decimal(amount).map_err(|error| sqlx::Error::Decode(error.into()))
}
