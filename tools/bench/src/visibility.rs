//! When each order became visible in the view.
//!
//! A thread reads the highest order id of the view repeatedly. Ids rise in the order of commits,
//! because one command service assigns them in one transaction at a time, and the outbox and
//! the consumer keep this order. So if an id is visible, all lower ids are, too.

use anyhow::{Context, Result};
use kit::note;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::watch::{Receiver, Sender, channel};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);

/// Watches a read database until it is dropped.
#[derive(Debug)]
pub struct Watch(Receiver<Seen>);

/// Times at which the highest visible id was seen to rise.
#[derive(Clone, Debug, Default)]
pub struct Seen(Vec<(i64, Instant)>);

impl Watch {
    /// Begins to watch, with `pause` between two reads. Times are late by at most that pause.
    pub fn begin(read: PgConnectOptions, pause: Duration) -> Self {
        let (sender, receiver) = channel(Seen::default());
        thread::spawn(move || {
            if let Err(error) = watch(&read, pause, &sender) {
                note(&format!("error: cannot watch the view: {error:#}"));
            }
        });
        Self(receiver)
    }

    /// Waits until that order is visible, then ends.
    pub async fn until(mut self, order: i64) -> Result<Seen> {
        let visible = self.0.wait_for(|seen| seen.since(order).is_some());
        let problem = || format!("order {order} does not become visible");
        let seen = timeout(PATIENCE, visible).await.with_context(problem)?.with_context(problem)?;
        Ok(seen.clone())
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
