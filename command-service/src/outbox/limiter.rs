//! The backpressure limit of the outbox.
//!
//! A long outage of the broker must not fill the disk of the write database. So the unpublished
//! events of each topic are limited: at the limit, commands of that topic are refused until the
//! publisher has caught up. The events are counted periodically, so commands accepted between
//! two counts can exceed the limit.

use crate::metrics::{OUTBOX_AGE, OUTBOX_LIMIT, OUTBOX_WAITING};
use service_runtime::health::DependencyStatus;
use service_runtime::postgres::{self, in_time};
use service_runtime::problem::Problem;
use shared_events::Topic;
use sqlx::PgPool;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Shortest interval between counts.
const INTERVAL: Duration = Duration::from_secs(1);

/// A database that does not respond in this time is unreachable.
const DEADLINE: Duration = Duration::from_secs(10);

/// Counting takes at most 1/`COUNT_SHARE` of the time, even with a full outbox.
const COUNT_SHARE: u32 = 20;

/// Time until a client should retry, in seconds.
const RETRY_AFTER: u32 = 5;

/// Limits the unpublished events of each topic.
#[derive(Clone, Debug)]
pub struct OutboxLimiter {
    limit: i64,
    is_full: Arc<[AtomicBool; Topic::ALL.len()]>,
}

impl OutboxLimiter {
    /// Allows `limit` unpublished events of each topic.
    pub fn new(limit: u32) -> Self {
        Self { limit: limit.into(), is_full: Arc::default() }
    }

    /// Checks whether a command of this topic can be accepted.
    ///
    /// # Errors
    /// 503 if the outbox is full.
    pub fn check(&self, topic: Topic) -> Result<(), Problem> {
        if !self.is_full(topic) {
            return Ok(());
        }
        Err(Problem::unavailable("Outbox full").retry_after(RETRY_AFTER).detail(format!(
            "{} or more {topic} wait for the broker, and no more are accepted until it has \
             taken some of them. The command had no effect; send it again later.",
            self.limit
        )))
    }

    /// Counts the unpublished events until shutdown, and reports to health and metrics.
    pub async fn watch(self, pool: PgPool, health: DependencyStatus, shutdown: CancellationToken) {
        OUTBOX_LIMIT.set(self.limit as f64);
        loop {
            let began = Instant::now();
            match in_time(DEADLINE, self.count(&pool)).await {
                Ok(()) => self.report(&health),
                Err(error) => {
                    postgres::report(&error);
                    health.degraded("unpublished events cannot be counted");
                }
            }
            let interval = INTERVAL.max(began.elapsed() * COUNT_SHARE);
            if shutdown.run_until_cancelled(tokio::time::sleep(interval)).await.is_none() {
                return;
            }
        }
    }

    /// Reports which topics are full. The service is down only if all are.
    fn report(&self, health: &DependencyStatus) {
        let full: Vec<&str> =
            Topic::ALL.into_iter().filter(|topic| self.is_full(*topic)).map(Topic::name).collect();
        let detail = format!(
            "{} or more unpublished events of {}: commands of that topic are refused until the \
             broker has taken some",
            self.limit,
            full.join(", ")
        );
        match full.len() {
            0 => health.up(),
            all if all == Topic::ALL.len() => health.down(detail),
            _ => health.degraded(detail),
        }
    }

    fn is_full(&self, topic: Topic) -> bool {
        self.is_full[topic as usize].load(Ordering::Relaxed)
    }

    async fn count(&self, pool: &PgPool) -> sqlx::Result<()> {
        // A full topic stays full until a tenth is free, so that its state does not flap.
        let limits = Topic::ALL.map(|topic| {
            if self.is_full(topic) { self.limit - self.limit / 10 } else { self.limit }
        });
        let rows = sqlx::query!(
            // Counts up to the limit only. Compares rows as next.sql does.
            r#"SELECT topic AS "topic!",
                      (SELECT count(*)
                       FROM (SELECT
                             FROM outbox
                             WHERE published_at IS NULL
                                 AND (topic, id) >= (limited.topic, $3)
                                 AND (topic, id) <= (limited.topic, $4)
                             ORDER BY topic, id
                             LIMIT most) AS waiting) AS "waiting!",
                      (SELECT extract(epoch FROM clock_timestamp() - created_at)::float8
                       FROM outbox
                       WHERE published_at IS NULL
                           AND (topic, id) >= (limited.topic, $3)
                           AND (topic, id) <= (limited.topic, $4)
                       ORDER BY topic, id
                       LIMIT 1) AS age
               FROM unnest($1::text[], $2::bigint[]) AS limited (topic, most)"#,
            &Topic::ALL.map(|topic| topic.name().to_owned())[..],
            &limits[..],
            Uuid::nil(),
            Uuid::max(),
        )
        .fetch_all(pool)
        .await?;
        for (topic, limit) in Topic::ALL.into_iter().zip(limits) {
            let Some(row) = rows.iter().find(|row| row.topic == topic.name()) else { continue };
            OUTBOX_WAITING.of(topic).set(row.waiting as f64);
            OUTBOX_AGE.of(topic).set(row.age.unwrap_or(0.0).max(0.0));
            self.is_full[topic as usize].store(row.waiting >= limit, Ordering::Relaxed);
        }
        Ok(())
    }
}
