//! When each order became visible in the view.
//!
//! A thread reads the highest order id of the view repeatedly. Ids rise in the order of commits,
//! because one command service assigns them in one transaction at a time, and the outbox and
//! the consumer keep this order. So if an id is visible, all lower ids are, too.

use anyhow::{Result, bail};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::watch::{Receiver, Sender, channel};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);

/// Watches a read database until it is dropped.
#[derive(Debug)]
pub struct Watch {
    seen: Receiver<Seen>,
    thread: JoinHandle<Result<()>>,
}

/// Times at which the highest visible id was seen to rise.
#[derive(Clone, Debug, Default)]
pub struct Seen(Vec<(i64, Instant)>);

impl Watch {
    /// Begins to watch, with `pause` between two reads. Times are late by at most that pause.
    pub fn begin(read: PgConnectOptions, pause: Duration) -> Self {
        let (sender, seen) = channel(Seen::default());
        Self { seen, thread: thread::spawn(move || watch(&read, pause, &sender)) }
    }

    /// Waits until that order is visible, then ends.
    pub async fn until(mut self, order: i64) -> Result<Seen> {
        let visible = self.seen.wait_for(|seen| seen.since(order).is_some());
        match timeout(PATIENCE, visible).await {
            Ok(Ok(seen)) => Ok(seen.clone()),
            Ok(Err(_)) => match self.thread.join() {
                Ok(Err(error)) => Err(error.context("cannot watch the view")),
                _ => bail!("the thread that watches the view has ended"),
            },
            Err(_) => bail!("order {order} does not become visible"),
        }
    }
}

impl Seen {
    /// When an order was first seen; none if it was not.
    pub fn since(&self, order: i64) -> Option<Instant> {
        let first = self.0.partition_point(|(highest, _)| *highest < order);
        self.0.get(first).map(|(_, when)| *when)
    }
}

/// Records each rise of the highest visible order until no receiver is left.
fn watch(read: &PgConnectOptions, pause: Duration, seen: &Sender<Seen>) -> Result<()> {
    // In a thread with its own runtime: its pauses are shorter than tokio's timers allow, which
    // have a resolution of a millisecond.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut connection = runtime.block_on(read.connect())?;
    while !seen.is_closed() {
        let highest = sqlx::query_scalar("SELECT coalesce(max(order_id), 0) FROM orders_read");
        let highest: i64 = runtime.block_on(highest.fetch_one(&mut connection))?;
        if seen.borrow().0.last().is_none_or(|(last, _)| *last < highest) {
            seen.send_modify(|seen| seen.0.push((highest, Instant::now())));
        }
        thread::sleep(pause);
    }
    Ok(())
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
