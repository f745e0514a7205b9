//! Open loop: requests come at a constant rate, however long the answers take,
//! and latencies count from when each was due.

use crate::client::Connection;
use crate::closed_loop::judge;
use crate::measured::Measured;
use anyhow::{Context, Result};
use futures::future::try_join_all;
use futures::stream::{FuturesUnordered, StreamExt};
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Most requests under way at once; more wait, and their latency counts.
const CONNECTIONS: u32 = 256;

/// Arrivals that are closer together than this are let go together: waking for
/// each would take processor time from what is measured.
const FINEST: Duration = Duration::from_micros(200);

/// How long the end of a run may go unnoticed.
const LONGEST: Duration = Duration::from_millis(100);

/// How long the last answers are waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Arrivals at a constant rate: the first at once, and one every
/// 1/`per_second` s.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    per_second: NonZeroU32,
    count: u32,
}

/// How requests are driven.
#[derive(Clone, Copy, Debug)]
pub struct OpenLoop {
    /// Who is asked.
    pub address: SocketAddr,
    /// When requests are due.
    pub schedule: Schedule,
    /// The status of a good answer.
    pub expected: u16,
}

impl Schedule {
    /// Arrivals at this rate, for so long.
    pub fn new(per_second: NonZeroU32, duration: Duration) -> Self {
        let count = u64::from(per_second.get()) * duration.as_secs();
        Self { per_second, count: u32::try_from(count).unwrap_or(u32::MAX) }
    }

    /// When request number `index`, from 0, is due after the start.
    fn due(self, index: u32) -> Duration {
        let rate = u64::from(self.per_second.get());
        // Rounded up, so that a request is never let go before it is due.
        Duration::from_nanos((u64::from(index) * 1_000_000_000).div_ceil(rate))
    }

    /// How many requests are due by then.
    fn due_by(self, elapsed: Duration) -> u32 {
        let before = elapsed.as_nanos() * u128::from(self.per_second.get()) / 1_000_000_000;
        u32::try_from(before + 1).unwrap_or(u32::MAX).min(self.count)
    }

    /// Grants permits when they are due, until all are or nobody wants them. In
    /// a thread, as the runtime's timers are off by up to a millisecond, which
    /// would show in the latencies.
    fn grant(self, start: Instant, permits: &Semaphore, unwanted: &AtomicBool) {
        let mut granted = 0;
        while granted < self.count && !unwanted.load(Ordering::Relaxed) {
            let due = self.due_by(start.elapsed());
            permits.add_permits((due - granted) as usize);
            granted = due;
            let next = (start + self.due(granted)).saturating_duration_since(Instant::now());
            thread::sleep(next.clamp(FINEST, LONGEST));
        }
        permits.close();
    }
}

/// Ends the granting thread when the run is dropped.
struct Granting(Arc<AtomicBool>);

impl Drop for Granting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl OpenLoop {
    /// Sends what `write` puts into the buffer. Of each good answer `note` gets
    /// when the request was due, when the answer came, and the body.
    ///
    /// # Errors
    /// If nobody listens, or answers do not come.
    pub async fn run(
        &self,
        write: impl FnMut(&mut Vec<u8>),
        note: impl FnMut(Instant, Instant, &[u8]),
    ) -> Result<Measured> {
        let opening = (0..CONNECTIONS).map(|_| Connection::open(self.address));
        let connections = try_join_all(opening).await?;
        let permits = Arc::new(Semaphore::new(0));
        let start = Instant::now();
        let granting = Granting(Arc::default());
        let (schedule, granted, unwanted) = (self.schedule, permits.clone(), granting.0.clone());
        thread::spawn(move || schedule.grant(start, &granted, &unwanted));

        let end = start + schedule.due(schedule.count) + PATIENCE;
        let measured = RefCell::new(Measured::begin(start, (start, end))?);
        let (write, note, next) = (RefCell::new(write), RefCell::new(note), Cell::new(0));
        let worker = async |mut connection: Connection| {
            let mut request = Vec::with_capacity(512);
            loop {
                // Closed: all are due.
                if let Ok(permit) = permits.acquire().await {
                    permit.forget();
                }
                let index = next.get();
                if index >= schedule.count {
                    break;
                }
                next.set(index + 1);
                let due = start + schedule.due(index);
                write.borrow_mut()(&mut request);
                let outcome = connection.exchange(&request).await;
                let outcome = outcome.map(|answer| {
                    if answer.status == self.expected {
                        note.borrow_mut()(due, Instant::now(), answer.body);
                    }
                    answer.status
                });
                judge(&mut measured.borrow_mut(), self.expected, outcome, due);
            }
        };
        let mut workers: FuturesUnordered<_> = connections.into_iter().map(worker).collect();
        let all = async { while workers.next().await.is_some() {} };
        let patience = end.saturating_duration_since(start);
        timeout(patience, all).await.context("answers do not come any more")?;
        drop(workers);
        let mut measured = measured.into_inner();
        measured.window.1 = measured.ended;
        Ok(measured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(per_second: u32, seconds: u64) -> Schedule {
        Schedule::new(NonZeroU32::new(per_second).unwrap(), Duration::from_secs(seconds))
    }

    #[test]
    fn arrivals_are_evenly_spaced_and_do_not_drift() {
        let schedule = schedule(3, 2_000_000);
        assert_eq!(schedule.due(0), Duration::ZERO);
        assert_eq!(schedule.due(1), Duration::from_nanos(333_333_334));
        assert_eq!(schedule.due(3_000_000), Duration::from_secs(1_000_000));
    }

    #[test]
    fn what_is_due_is_what_was_scheduled_until_then() {
        for rate in [1, 7, 1_000, 999_983] {
            let schedule = schedule(rate, 2_000);
            for index in [0, 1, 2, 999] {
                assert_eq!(schedule.due_by(schedule.due(index)), index + 1, "{rate} {index}");
            }
        }
        assert_eq!(schedule(1_000, 2).due_by(Duration::from_secs(60)), 2_000);
    }

    #[test]
    fn all_are_granted_and_then_the_permits_end() {
        let permits = Semaphore::new(0);
        let begun = Instant::now();
        schedule(1_000, 1).grant(begun, &permits, &AtomicBool::new(false));
        assert_eq!(permits.available_permits(), 1_000);
        assert!(permits.is_closed());
        assert!(begun.elapsed() >= Duration::from_millis(999));
    }
}
