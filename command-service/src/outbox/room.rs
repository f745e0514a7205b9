//! How many events may wait for the broker.
//!
//! A broker that is away for long must not fill the disk that orders need: beyond a
//! limit commands are refused until the publisher has caught up. The limit is looked
//! at from time to time, so it is passed by what is accepted meanwhile.

use crate::metrics::{OUTBOX_AGE, OUTBOX_LIMIT, OUTBOX_WAITING};
use service_runtime::health::Reporter;
use service_runtime::postgres::is_absence;
use service_runtime::problem::Problem;
use sqlx::PgPool;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How often to look, at the most.
const INTERVAL: Duration = Duration::from_secs(1);

/// A database that has not answered by then is taken for lost.
const DEADLINE: Duration = Duration::from_secs(10);

/// Looking takes at most this part of the time, however much there is to count.
const SHARE: u32 = 20;

/// When a client may try again, in seconds.
const RETRY_AFTER: u32 = 5;

/// Whether there is room in the outbox.
#[derive(Clone, Debug)]
pub struct Room {
    limit: i64,
    is_full: Arc<AtomicBool>,
}

impl Room {
    /// Room for so many events that are not published.
    pub fn new(limit: u32) -> Self {
        Self { limit: limit.into(), is_full: Arc::default() }
    }

    /// Whether there is any left.
    ///
    /// # Errors
    /// 503 if there is none.
    pub fn check(&self) -> Result<(), Problem> {
        if !self.is_full.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(Problem::unavailable("Outbox full").retry_after(RETRY_AFTER).detail(format!(
            "{} events or more wait for the broker, and no more are taken until it has some of \
             them. The command had no effect; send it again later.",
            self.limit
        )))
    }

    /// Looks from time to time, until shutdown, and tells health and metrics what it sees.
    pub async fn watch(self, pool: PgPool, health: Reporter, shutdown: CancellationToken) {
        OUTBOX_LIMIT.set(self.limit as f64);
        loop {
            let began = Instant::now();
            match timeout(DEADLINE, self.look(&pool)).await {
                Ok(Ok(is_full)) => self.note(is_full, &health),
                // Health tells of the database.
                Ok(Err(error)) if is_absence(&error) => {}
                Ok(Err(error)) => warn!("cannot count the events that wait: {error}"),
                Err(_) => warn!("the events that wait were not counted in time"),
            }
            let pause = INTERVAL.max(began.elapsed() * SHARE);
            if shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    fn note(&self, is_full: bool, health: &Reporter) {
        self.is_full.store(is_full, Ordering::Relaxed);
        if is_full {
            health.down(format!(
                "full: {} events or more are not published; commands are refused until the \
                 broker has taken some",
                self.limit
            ));
        } else {
            health.up();
        }
    }

    async fn look(&self, pool: &PgPool) -> sqlx::Result<bool> {
        // What is full stays so until a tenth is free, rather than being opened and shut
        // all the time. Counts no further than it must.
        let was_full = self.is_full.load(Ordering::Relaxed);
        let limit = if was_full { self.limit - self.limit / 10 } else { self.limit };
        let seen = sqlx::query!(
            r#"SELECT count(*) AS "waiting!",
                      (SELECT extract(epoch FROM clock_timestamp() - created_at)::float8
                       FROM outbox
                       WHERE published_at IS NULL
                       ORDER BY id
                       LIMIT 1) AS age
               FROM (SELECT FROM outbox WHERE published_at IS NULL LIMIT $1) AS waiting"#,
            limit,
        )
        .fetch_one(pool)
        .await?;
        OUTBOX_WAITING.set(seen.waiting as f64);
        OUTBOX_AGE.set(seen.age.unwrap_or(0.0).max(0.0));
        Ok(seen.waiting >= limit)
    }
}
