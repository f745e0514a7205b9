//! When each order became visible in the view.
//!
//! A thread reads the highest order id of the view repeatedly. Ids rise in the order of commits,
//! because one command service assigns them in one transaction at a time, and the outbox and
//! the consumer keep this order. So if an id is visible, all lower ids are, too.

use anyhow::{Context, Result, anyhow};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::time::sleep;

const PATIENCE: Duration = Duration::from_secs(60);

/// Watches a read database until it is dropped.
#[derive(Debug)]
pub struct Watch {
    ended: Arc<AtomicBool>,
    highest: Arc<AtomicI64>,
    thread: Option<JoinHandle<Result<Seen>>>,
}

/// Times at which the highest visible id was seen to rise.
#[derive(Clone, Debug, Default)]
pub struct Seen(Vec<(i64, Instant)>);

impl Watch {
    /// Begins to watch, with `pause` between two reads. Times are late by at most that pause.
    pub fn begin(read: PgConnectOptions, pause: Duration) -> Self {
        let (ended, highest) = (Arc::<AtomicBool>::default(), Arc::<AtomicI64>::default());
        let (end, top) = (ended.clone(), highest.clone());
        let thread = thread::spawn(move || watch(&read, pause, &end, &top));
        Self { ended, highest, thread: Some(thread) }
    }

    /// Waits until that order is visible, then ends.
    pub async fn until(mut self, order: i64) -> Result<Seen> {
        let deadline = Instant::now() + PATIENCE;
        while self.highest.load(Ordering::Relaxed) < order {
            let has_failed = self.thread.as_ref().is_some_and(JoinHandle::is_finished);
            if has_failed || Instant::now() > deadline {
                break;
            }
            sleep(Duration::from_millis(5)).await;
        }
        self.ended.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("already ended")?;
        let seen = thread.join().map_err(|_| anyhow!("the watching thread panicked"))??;
        anyhow::ensure!(
            self.highest.load(Ordering::Relaxed) >= order,
            "order {order} does not become visible"
        );
        Ok(seen)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

impl Seen {
    /// When an order was first seen; none if it was not.
    pub fn since(&self, order: i64) -> Option<Instant> {
        let first = self.0.partition_point(|(highest, _)| *highest < order);
        self.0.get(first).map(|(_, when)| *when)
    }
}

fn watch(
    read: &PgConnectOptions,
    pause: Duration,
    ended: &AtomicBool,
    top: &AtomicI64,
) -> Result<Seen> {
    // In a thread with its own runtime: its pauses are shorter than tokio's timers allow, which
    // have a resolution of a millisecond.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut connection = runtime.block_on(read.connect())?;
    let mut seen = Seen::default();
    while !ended.load(Ordering::Relaxed) {
        let highest = runtime.block_on(highest(&mut connection))?;
        if seen.0.last().is_none_or(|(last, _)| *last < highest) {
            seen.0.push((highest, Instant::now()));
            top.store(highest, Ordering::Relaxed);
        }
        thread::sleep(pause);
    }
    Ok(seen)
}

async fn highest(connection: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT coalesce(max(order_id), 0) FROM orders_read")
        .fetch_one(connection)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_visible_with_the_first_id_that_is_no_less() {
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        let seen = Seen(vec![(0, at(0)), (3, at(5)), (7, at(9))]);
        assert_eq!(seen.since(1), Some(at(5)));
        assert_eq!(seen.since(3), Some(at(5)));
        assert_eq!(seen.since(4), Some(at(9)));
        assert_eq!(seen.since(8), None);
    }
}
