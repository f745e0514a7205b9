//! Compares the clock of this machine with others.
//!
//! Times in events and in views come from several machines. Decisions that depend on a
//! time use the database's clock: see [`database_now`]. The part `clock` of `/health`, a
//! metric and an alert report clocks that differ.

use crate::health::{Health, Need, Reporter};
use crate::metrics::common::CLOCK_SKEW;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::watch;

/// Clocks synchronised by NTP differ by milliseconds.
const TOLERANCE_SECONDS: f64 = 5.0;

/// This machine's clock, in metrics.
const OWN: &str = "own";

/// The database's time, and when it was that time.
static DATABASE_TIME: Mutex<Option<(DateTime<Utc>, Instant)>> = Mutex::new(None);

/// The time by the database's clock; by this machine's before the first comparison.
/// Between comparisons the monotonic clock goes on, so a change of this machine's clock
/// does not matter.
pub fn database_now() -> DateTime<Utc> {
    let known = *DATABASE_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    known.map_or_else(Utc::now, |(time, at)| time + at.elapsed())
}

/// By how much this machine's clock is ahead of the database's now.
pub fn ahead() -> TimeDelta {
    Utc::now() - database_now()
}

/// The results of clock comparisons.
#[derive(Clone, Debug)]
pub struct Clock {
    reporter: Reporter,
    /// For each clock, by how many seconds it is ahead.
    skews: Arc<Mutex<BTreeMap<&'static str, f64>>>,
    /// Whether the database's clock has been compared.
    is_known: watch::Sender<bool>,
}

impl Clock {
    /// Adds the part `clock`. A service with a wrong clock goes on.
    pub fn new(health: &Health) -> Self {
        let reporter = health.part("clock", Need::Useful);
        reporter.up();
        Self { reporter, skews: Arc::default(), is_known: watch::Sender::new(false) }
    }

    /// Waits until the database's clock has been compared.
    pub async fn known(&self) {
        // `self` holds the sender, so this cannot fail.
        let _ = self.is_known.subscribe().wait_for(|is_known| *is_known).await;
    }

    /// Whether the database's clock has been compared yet.
    pub fn is_known(&self) -> bool {
        *self.is_known.borrow()
    }

    /// This machine's clock, compared with the database's: `theirs` was read at `ours`,
    /// which was the instant `at`.
    pub fn compared(&self, ours: DateTime<Utc>, at: Instant, theirs: DateTime<Utc>) {
        let ahead = ours - theirs;
        *DATABASE_TIME.lock().unwrap_or_else(PoisonError::into_inner) = Some((theirs, at));
        self.is_known.send_replace(true);
        self.measured(OWN, Some(ahead));
    }

    /// Reports by how much a clock is ahead of the database's; none if that is not known.
    pub fn measured(&self, whose: &'static str, ahead: Option<TimeDelta>) {
        let seconds = ahead.map_or(f64::NAN, |ahead| ahead.as_seconds_f64());
        CLOCK_SKEW.with([("of", whose.into())]).set(seconds);
        let mut skews = self.skews.lock().unwrap_or_else(PoisonError::into_inner);
        let told = skews.entry(whose).or_insert(0.0);
        // Small changes do not change the detail, because each change of it is logged.
        if seconds.is_nan() || (seconds - *told).abs() > 1.0 || is_wrong(seconds) != is_wrong(*told)
        {
            *told = if seconds.is_nan() { 0.0 } else { seconds };
        }
        let wrong = skews.iter().filter(|(_, seconds)| is_wrong(**seconds));
        let details: Vec<String> = wrong.map(|(whose, seconds)| detail(whose, *seconds)).collect();
        if details.is_empty() {
            self.reporter.up();
        } else {
            self.reporter.down(details.join("; "));
        }
    }
}

fn is_wrong(seconds: f64) -> bool {
    seconds.abs() > TOLERANCE_SECONDS
}

fn detail(whose: &str, seconds: f64) -> String {
    let clock = if whose == OWN { "clock".to_owned() } else { format!("clock of {whose}") };
    let direction = if seconds > 0.0 { "ahead of" } else { "behind" };
    format!("{clock} is {:.0} s {direction} the database's: set it by NTP", seconds.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_clock_is_told_with_its_direction() {
        assert_eq!(detail(OWN, 600.4), "clock is 600 s ahead of the database's: set it by NTP");
        assert_eq!(detail("b", -7.0), "clock of b is 7 s behind the database's: set it by NTP");
        assert!(!is_wrong(-4.9) && is_wrong(-5.1));
    }
}
