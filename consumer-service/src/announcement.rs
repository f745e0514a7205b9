//! Telling whoever waits for an event that more have been applied.
//!
//! One NOTIFY for a batch, after its commit and beside the next one: within the
//! transaction it would take a lock on the whole database until that is on disk. One
//! that is lost with its process costs those who wait a poll.

use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// A database that has not answered by then is taken for lost.
const DEADLINE: Duration = Duration::from_secs(3);

/// Where commits are reported.
#[derive(Clone, Debug, Default)]
pub struct Announcer(Arc<Notify>);

impl Announcer {
    /// A batch has been committed.
    pub fn announce(&self) {
        self.0.notify_one();
    }

    /// Tells the database's listeners, until shutdown. What is committed while one
    /// NOTIFY is on its way shares the next.
    pub async fn run(self, pool: PgPool, shutdown: CancellationToken) {
        while shutdown.run_until_cancelled(self.0.notified()).await.is_some() {
            let telling = sqlx::query!("NOTIFY events_applied").execute(&pool);
            match timeout(DEADLINE, telling).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::debug!("could not tell of a batch: {error}"),
                Err(_) => tracing::debug!("could not tell of a batch in time"),
            }
        }
    }
}
