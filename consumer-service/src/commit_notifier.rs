//! Notifies the query services after batches are committed.
//!
//! The NOTIFY runs outside of the batch's transaction: inside, it would hold a lock on the
//! whole database until the commit is on disk. If a notification is lost with the process,
//! waiting queries find the event by their next poll.

use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Deadline of a NOTIFY.
const DEADLINE: Duration = Duration::from_secs(3);

/// Receives the commits of batches.
#[derive(Clone, Debug, Default)]
pub struct CommitNotifier(Arc<Notify>);

impl CommitNotifier {
    /// Requests a notification about a committed batch.
    pub fn notify(&self) {
        self.0.notify_one();
    }

    /// Sends notifications until shutdown. Batches that are committed during one NOTIFY share
    /// the next.
    pub async fn run(self, pool: PgPool, shutdown: CancellationToken) {
        while shutdown.run_until_cancelled(self.0.notified()).await.is_some() {
            let sending = sqlx::query!("NOTIFY events_applied").execute(&pool);
            match timeout(DEADLINE, sending).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::debug!("cannot notify of a batch: {error}"),
                Err(_) => tracing::debug!("cannot notify of a batch within {DEADLINE:?}"),
            }
        }
    }
}
