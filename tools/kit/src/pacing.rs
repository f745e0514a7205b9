//! When requests are sent: at a constant arrival rate (open loop), or each connection's
//! next one after the response to its last (closed loop).

use std::cell::Cell;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Requests that are due within this time are released together: waking up for each would
/// take processor time from what is measured.
const FINEST: Duration = Duration::from_micros(200);

/// The releasing thread notices the end of a run within this time.
const LONGEST: Duration = Duration::from_millis(100);

/// `count` arrivals at a constant rate. The first is due at once.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    per_second: NonZeroU32,
    count: u32,
}

impl Schedule {
    /// `count` arrivals at this rate.
    pub const fn new(per_second: NonZeroU32, count: u32) -> Self {
        Self { per_second, count }
    }

    /// The time from the start until request `index`, from 0, is due.
    pub fn due(self, index: u32) -> Duration {
        let rate = u64::from(self.per_second.get());
        // Rounded up, so that no request is released before it is due.
        Duration::from_nanos((u64::from(index) * 1_000_000_000).div_ceil(rate))
    }

    /// The time from the start until all requests are due.
    pub fn duration(self) -> Duration {
        self.due(self.count)
    }

    /// How many requests are due after this time.
    fn due_by(self, elapsed: Duration) -> u32 {
        let before = elapsed.as_nanos() * u128::from(self.per_second.get()) / 1_000_000_000;
        u32::try_from(before + 1).unwrap_or(u32::MAX).min(self.count)
    }

    /// Adds a permit for each request when it is due, until all are due or the semaphore is
    /// closed. Runs in a thread, because timers of tokio are off by up to a millisecond, which
    /// would show in the latencies.
    fn release(self, start: Instant, permits: &Semaphore) {
        let mut released = 0;
        while released < self.count && !permits.is_closed() {
            let due = self.due_by(start.elapsed());
            permits.add_permits((due - released) as usize);
            released = due;
            let next = (start + self.due(released)).saturating_duration_since(Instant::now());
            thread::sleep(next.clamp(FINEST, LONGEST));
        }
        permits.close();
    }
}

/// Numbers the requests of a run and releases each when it may be sent. Dropping it ends
/// the run.
#[derive(Debug)]
pub struct Pace {
    count: u32,
    next: Cell<u32>,
    arrivals: Option<Arrivals>,
}

#[derive(Debug)]
struct Arrivals {
    schedule: Schedule,
    start: Instant,
    permits: Arc<Semaphore>,
}

impl Pace {
    /// Closed loop: releases `count` requests at once.
    pub const fn closed(count: u32) -> Self {
        Self { count, next: Cell::new(0), arrivals: None }
    }

    /// Open loop: releases each request when it is due. The schedule starts now.
    pub fn open(schedule: Schedule) -> Self {
        let (start, permits) = (Instant::now(), Arc::new(Semaphore::new(0)));
        let arrivals = Arrivals { schedule, start, permits: permits.clone() };
        thread::spawn(move || schedule.release(start, &permits));
        Self { count: schedule.count, next: Cell::new(0), arrivals: Some(arrivals) }
    }

    /// Waits until the next request may be sent. Returns its number, and when its latency
    /// begins: when it was due, or now in a closed loop. None after the last request.
    pub async fn next(&self) -> Option<(u32, Instant)> {
        // The semaphore is closed once all requests are due.
        if let Some(arrivals) = &self.arrivals
            && let Ok(permit) = arrivals.permits.acquire().await
        {
            permit.forget();
        }
        let index = self.next.get();
        if index >= self.count {
            return None;
        }
        self.next.set(index + 1);
        let since = match &self.arrivals {
            Some(arrivals) => arrivals.start + arrivals.schedule.due(index),
            None => Instant::now(),
        };
        Some((index, since))
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.permits.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(per_second: u32, count: u32) -> Schedule {
        Schedule::new(NonZeroU32::new(per_second).unwrap(), count)
    }

    #[test]
    fn arrivals_are_evenly_spaced_and_do_not_drift() {
        let schedule = schedule(3, u32::MAX);
        assert_eq!(schedule.due(0), Duration::ZERO);
        assert_eq!(schedule.due(1), Duration::from_nanos(333_333_334));
        assert_eq!(schedule.due(3_000_000), Duration::from_secs(1_000_000));
    }

    #[test]
    fn a_request_is_due_at_its_time_and_not_before() {
        for rate in [1, 3, 7, 1_000, 999_983] {
            let schedule = schedule(rate, u32::MAX);
            for index in [0, 1, 2, 999, 1_000_001] {
                let due = schedule.due(index);
                assert_eq!(schedule.due_by(due), index + 1, "{rate} {index}");
                let just_before = due.saturating_sub(Duration::from_nanos(1));
                assert_eq!(schedule.due_by(just_before), index.max(1), "{rate} {index}");
            }
        }
        assert_eq!(schedule(1_000, 500).due_by(Duration::from_secs(60)), 500);
    }

    #[tokio::test]
    async fn every_request_is_released_once_and_not_before_it_is_due() {
        let pace = Pace::open(schedule(1_000, 20));
        for expected in 0..20 {
            let (index, due) = pace.next().await.unwrap();
            assert_eq!(index, expected);
            assert!(Instant::now() >= due, "{index} was released before it was due");
        }
        assert_eq!(pace.next().await, None);
    }
}
