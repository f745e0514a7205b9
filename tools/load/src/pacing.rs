//! When requests are sent: at a constant rate of arrival, or as fast as the
//! answers come.

use crate::stop::Stop;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Arrivals that are closer together than this are let go together: waking for
/// each would take processor time from the system under test.
const FINEST: Duration = Duration::from_micros(200);

/// How long a stop may go unnoticed.
const LONGEST: Duration = Duration::from_millis(100);

/// Arrivals at a constant rate: the first at once, and one every
/// 1/`per_second` s.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    per_second: NonZeroU32,
}

impl Schedule {
    /// Arrivals at this rate.
    pub const fn new(per_second: NonZeroU32) -> Self {
        Self { per_second }
    }

    /// When request number `index`, from 0, is due after the start.
    pub fn due(self, index: u32) -> Duration {
        let rate = u64::from(self.per_second.get());
        // Rounded up, so that a request is never let go before it is due.
        Duration::from_nanos((u64::from(index) * 1_000_000_000).div_ceil(rate))
    }

    /// How many of `count` requests are due by then.
    pub fn due_by(self, elapsed: Duration, count: u32) -> u32 {
        let before = elapsed.as_nanos() * u128::from(self.per_second.get()) / 1_000_000_000;
        u32::try_from(before + 1).unwrap_or(u32::MAX).min(count)
    }
}

/// Lets the requests of a phase go.
#[derive(Debug)]
pub enum Pace {
    /// Closed loop: at once.
    Closed,
    /// Open loop: when due.
    Open {
        /// When each is due.
        schedule: Schedule,
        /// When the schedule began.
        start: Instant,
        /// One permit for each request that is due.
        permits: Arc<Semaphore>,
    },
}

impl Pace {
    /// Starts the clock for `count` requests.
    pub fn begin(rate: Option<NonZeroU32>, count: u32, stop: &Stop) -> Self {
        let Some(rate) = rate else { return Self::Closed };
        let (schedule, start) = (Schedule::new(rate), Instant::now());
        let permits = Arc::new(Semaphore::new(0));
        let (granting, stop) = (permits.clone(), stop.clone());
        thread::spawn(move || grant(schedule, start, count, &granting, &stop));
        Self::Open { schedule, start, permits }
    }

    /// Waits until a request may go, or until all may.
    pub async fn wait(&self) {
        if let Self::Open { permits, .. } = self
            && let Ok(permit) = permits.acquire().await
        {
            permit.forget();
        }
    }

    /// The moment from which the latency of request `index` counts, if it goes
    /// now: when it was due, or else now.
    pub fn counts_from(&self, index: u32) -> Instant {
        match self {
            Self::Closed => Instant::now(),
            Self::Open { schedule, start, .. } => *start + schedule.due(index),
        }
    }
}

/// Grants permits when they are due. In a thread, as the runtime's timers are
/// off by up to a millisecond, which would show in the latencies.
fn grant(schedule: Schedule, start: Instant, count: u32, permits: &Semaphore, stop: &Stop) {
    let mut granted = 0;
    while granted < count && !stop.is_asked() {
        let due = schedule.due_by(start.elapsed(), count);
        permits.add_permits((due - granted) as usize);
        granted = due;
        let next = (start + schedule.due(granted)).saturating_duration_since(Instant::now());
        thread::sleep(next.clamp(FINEST, LONGEST));
    }
    // All are due; nobody needs to wait any more.
    permits.close();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(per_second: u32) -> Schedule {
        Schedule::new(NonZeroU32::new(per_second).unwrap())
    }

    #[test]
    fn arrivals_are_evenly_spaced_and_do_not_drift() {
        let schedule = schedule(3);
        assert_eq!(schedule.due(0), Duration::ZERO);
        assert_eq!(schedule.due(1), Duration::from_nanos(333_333_334));
        assert_eq!(schedule.due(3_000_000), Duration::from_secs(1_000_000));
    }

    #[test]
    fn what_is_due_is_what_was_scheduled_until_then() {
        for rate in [1, 3, 7, 1_000, 999_983] {
            let schedule = schedule(rate);
            for index in [0, 1, 2, 999, 1_000_001] {
                let due = schedule.due(index);
                assert_eq!(schedule.due_by(due, u32::MAX), index + 1, "{rate} {index}");
                let just_before = due.saturating_sub(Duration::from_nanos(1));
                let early = schedule.due_by(just_before, u32::MAX);
                assert_eq!(early, index.max(1), "{rate} {index}");
            }
        }
        assert_eq!(schedule(1_000).due_by(Duration::from_secs(60), 500), 500);
    }

    #[tokio::test]
    async fn requests_go_when_due_and_count_from_then() {
        let stop = Stop::never();
        let pace = Pace::begin(NonZeroU32::new(1_000), 20, &stop);
        for index in 0..20 {
            pace.wait().await;
            assert!(Instant::now() >= pace.counts_from(index), "{index} went before it was due");
        }
    }
}
