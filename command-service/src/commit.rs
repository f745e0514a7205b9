//! Transactions that are carried through.

use service_runtime::problem::Problem;
use sqlx::{Postgres, Transaction};

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

/// Commits.
///
/// # Errors
/// 503 if the answer to COMMIT was lost or is an error: then nobody here knows
/// whether the transaction took effect, and it must not be run again.
pub async fn commit(transaction: Transaction<'_, Postgres>) -> Result<(), Problem> {
    transaction.commit().await.map_err(|error| {
        tracing::warn!("outcome of a commit unknown: {error}");
        outcome_unknown()
    })
}

/// 503: the command may have taken effect or not.
pub fn outcome_unknown() -> Problem {
    Problem::unavailable("Outcome unknown").detail(
        "The database was lost while it committed: the request took effect wholly or not at \
         all. Look whether it did before you repeat it.",
    )
}
