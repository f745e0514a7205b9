//! Reads watermarks, and measures the clock of the write database with them.
//!
//! An invalid watermark is ignored, because a new one follows every second. Times of
//! valid ones are converted to the read database's clock, by which lag is measured.

use crate::metrics::{InvalidWatermark, WATERMARKS_DROPPED};
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use service_runtime::clock::{self, Clock};
use service_runtime::log_limit::LogLimit;
use service_runtime::tasks;
use shared_events::{Topic, Watermark};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Watermarks expire in the queue after 30 s and may wait a little longer in this
/// service. The age of an older one is a clock difference.
const LONGEST_TRANSIT: TimeDelta = TimeDelta::seconds(35);

/// A clock cannot differ by more. Times that are centuries away would move those of all other
/// watermarks out of the range of the database.
const LONGEST_DIFFERENCE: TimeDelta = TimeDelta::days(36_525);

/// The smallest age within this window counts as the age of a watermark without delay.
const WINDOW: Duration = Duration::from_secs(60);

/// After a database outage all queued watermarks are old and are read at once. So a clock
/// difference is assumed only if all ages over this period show it.
const LONG_ENOUGH: Duration = Duration::from_secs(30);

/// Interval between reports of the clock difference.
const INTERVAL: Duration = Duration::from_secs(1);

static AGES: Mutex<Ages> = Mutex::new(Ages::new());

/// Limits log lines about invalid watermarks.
static LOGGED: LogLimit = LogLimit::new();

/// Reads a watermark at the time `now`, by the read database's clock; none if it is
/// invalid.
pub fn read(topic: Topic, body: &[u8], now: DateTime<Utc>) -> Option<Watermark> {
    let invalid = match serde_json::from_slice::<Watermark>(body) {
        Ok(watermark) if watermark.topic != topic => InvalidWatermark::AnotherTopic,
        Ok(watermark)
            if watermark.committed < 0 || (now - watermark.taken_at).abs() > LONGEST_DIFFERENCE =>
        {
            InvalidWatermark::OutOfRange
        }
        Ok(watermark) => {
            let mut ages = AGES.lock();
            ages.record(Instant::now(), now - watermark.taken_at, clock::offset());
            let ahead = ages.ahead(Instant::now()).unwrap_or_default();
            return Some(Watermark { taken_at: watermark.taken_at - ahead, ..watermark });
        }
        Err(_) => InvalidWatermark::Unreadable,
    };
    WATERMARKS_DROPPED.of(invalid).increment(1);
    let (queue, reason): (_, &str) = (topic.name(), invalid.into());
    if let Some(suppressed) = LOGGED.admit(queue) {
        warn!(
            queue,
            reason,
            suppressed,
            "ignored an invalid watermark: another program publishes as the publisher"
        );
    }
    None
}

/// Reports the clock difference of the write database until shutdown.
pub async fn watch(clock: &Clock, shutdown: CancellationToken) {
    tasks::repeat(INTERVAL, shutdown, || async {
        let ahead = AGES.lock().ahead(Instant::now());
        clock.set_offset("write_database", ahead);
    })
    .await;
}

/// Ages of the watermarks of the last minute.
struct Ages {
    /// Each with the time at which it was read.
    read: VecDeque<(Instant, TimeDelta)>,
    /// How far the clock of this process was ahead of the read database.
    own: TimeDelta,
}

impl Ages {
    const fn new() -> Self {
        Self { read: VecDeque::new(), own: TimeDelta::zero() }
    }

    fn record(&mut self, at: Instant, age: TimeDelta, own: TimeDelta) {
        // The clock of this process has changed, so earlier ages are wrong.
        if (own - self.own).abs() > TimeDelta::seconds(1) {
            self.read.clear();
        }
        self.own = own;
        self.drop_old(at);
        self.read.push_back((at, age));
    }

    fn drop_old(&mut self, at: Instant) {
        while self.read.front().is_some_and(|(read, _)| at.duration_since(*read) > WINDOW) {
            self.read.pop_front();
        }
    }

    /// How far the clock of the write database is ahead; none without watermarks.
    fn ahead(&mut self, at: Instant) -> Option<TimeDelta> {
        self.drop_old(at);
        let smallest = self.read.iter().map(|(_, age)| *age).min()?;
        let (first, last) = (self.read.front()?.0, self.read.back()?.0);
        let is_certain = smallest < TimeDelta::zero()
            || (smallest > LONGEST_TRANSIT && last.duration_since(first) >= LONG_ENOUGH);
        Some(if is_certain { -smallest } else { TimeDelta::zero() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The clock difference from watermarks of these ages, one a second.
    fn ahead(ages: impl IntoIterator<Item = i64>) -> Option<i64> {
        let (start, mut known) = (Instant::now(), Ages::new());
        let mut at = start;
        for (second, age) in (0..).zip(ages) {
            at = start + Duration::from_secs(second);
            known.record(at, TimeDelta::seconds(age), TimeDelta::zero());
        }
        known.ahead(at).map(|ahead| ahead.num_seconds())
    }

    #[test]
    fn one_watermark_shows_a_clock_that_is_ahead() {
        assert_eq!(ahead([3, -600, 2]), Some(600));
        assert_eq!(ahead([]), None);
        // Only for a minute.
        assert_eq!(ahead(std::iter::once(-600).chain([0; 61])), Some(0));
    }

    #[test]
    fn a_clock_that_is_behind_is_distinguished_from_delay() {
        assert_eq!(ahead([600; 31]), Some(-600));
        assert_eq!(ahead((0..60).map(|second| 600 + second)), Some(-600));
        // A backlog, and watermarks that waited for the database.
        assert_eq!(ahead([30; 60]), Some(0));
        assert_eq!(ahead([600; 20]), Some(0));
        assert_eq!(ahead((0..60).rev().map(|second| 10 * second)), Some(0));
    }

    #[test]
    fn ages_are_dropped_when_the_own_clock_changes() {
        let (at, mut known) = (Instant::now(), Ages::new());
        known.record(at, TimeDelta::seconds(-600), TimeDelta::zero());
        known.record(at, TimeDelta::seconds(1), TimeDelta::seconds(-600));
        assert_eq!(known.ahead(at), Some(TimeDelta::zero()));
    }

    #[test]
    fn an_invalid_watermark_is_ignored() {
        let now = "2026-01-01T12:00:00Z".parse().unwrap();
        let body = |topic: &str, committed: i64| {
            format!(
                r#"{{"topic":"{topic}","takenAt":"2026-01-01T12:10:00Z","committed":{committed}}}"#
            )
        };
        let read = |body: String| read(Topic::Orders, body.as_bytes(), now);
        assert_eq!(read(body("user-events", 1)), None);
        assert_eq!(read(body("order-events", -1)), None);
        assert_eq!(read("{}".to_owned()), None);
        for time in ["+262142-12-31T00:00:00Z", "-262143-01-02T00:00:00Z", "9999-12-31T00:00:00Z"] {
            assert_eq!(read(body("order-events", 1).replace("2026-01-01T12:10:00Z", time)), None);
        }
        // A future watermark counts as taken now.
        assert_eq!(read(body("order-events", 1)).unwrap().taken_at, now);
    }
}
