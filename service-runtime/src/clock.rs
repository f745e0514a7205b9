//! Compares clocks with the database's.
//!
//! Times in messages and tables come from several machines. Decisions that depend on a
//! time use the database's clock: see [`database_now`]. The dependency `clock` in
//! `/health`, a metric and an alert report clocks that differ.

use crate::health::{DependencyStatus, Health};
use crate::metrics::service::CLOCK_SKEW;
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

/// Clocks synchronised by NTP differ by milliseconds.
const TOLERANCE_SECONDS: f64 = 5.0;

/// The name of this machine's clock.
const OWN: &str = "own";

/// The database's time at an instant.
static DATABASE_TIME: Mutex<Option<(DateTime<Utc>, Instant)>> = Mutex::new(None);

/// The time by the database's clock, or by this machine's before the first comparison.
/// Between comparisons it advances with the monotonic clock, so a change of this machine's
/// clock has no effect.
pub fn database_now() -> DateTime<Utc> {
    let compared = *DATABASE_TIME.lock();
    compared.map_or_else(Utc::now, |(time, at)| time + at.elapsed())
}

/// The current offset of this machine's clock from the database's; positive if ahead.
pub fn offset() -> TimeDelta {
    Utc::now() - database_now()
}

/// The results of clock comparisons.
#[derive(Clone, Debug)]
pub struct Clock {
    status: DependencyStatus,
    /// The offset of each clock from the database's, in seconds.
    offsets: Arc<Mutex<BTreeMap<&'static str, f64>>>,
    /// Whether this machine's clock has been compared.
    is_known: watch::Sender<bool>,
}

impl Clock {
    /// Adds the optional dependency `clock`.
    pub fn new(health: &Health) -> Self {
        let status = health.optional("clock");
        status.up();
        Self { status, offsets: Arc::default(), is_known: watch::Sender::new(false) }
    }

    /// Waits until this machine's clock has been compared with the database's.
    pub async fn known(&self) {
        // `self` holds the sender, so this cannot fail.
        let _ = self.is_known.subscribe().wait_for(|is_known| *is_known).await;
    }

    /// Whether this machine's clock has been compared with the database's.
    pub fn is_known(&self) -> bool {
        *self.is_known.borrow()
    }

    /// Compares this machine's clock, which showed `own` at the instant `at`, with the
    /// database's time at that instant.
    pub fn compare(&self, own: DateTime<Utc>, at: Instant, database: DateTime<Utc>) {
        *DATABASE_TIME.lock() = Some((database, at));
        self.is_known.send_replace(true);
        self.set_offset(OWN, Some(own - database));
    }

    /// Reports the offset of a clock from the database's; none if it is unknown.
    pub fn set_offset(&self, clock: &'static str, offset: Option<TimeDelta>) {
        let seconds = offset.map_or(f64::NAN, |offset| offset.as_seconds_f64());
        CLOCK_SKEW.with([("of", clock.into())]).set(seconds);
        let seconds = if seconds.is_nan() { 0.0 } else { seconds };
        let mut offsets = self.offsets.lock();
        let shown = offsets.entry(clock).or_insert(0.0);
        // Every change of the reason is logged, so it does not show small changes.
        if (seconds - *shown).abs() > 1.0 || is_wrong(seconds) != is_wrong(*shown) {
            *shown = seconds;
        }
        let wrong = offsets.iter().filter(|(_, seconds)| is_wrong(**seconds));
        let reasons: Vec<String> = wrong.map(|(clock, seconds)| reason(clock, *seconds)).collect();
        if reasons.is_empty() {
            self.status.up();
        } else {
            self.status.down(reasons.join("; "));
        }
    }
}

fn is_wrong(seconds: f64) -> bool {
    seconds.abs() > TOLERANCE_SECONDS
}

fn reason(clock: &str, seconds: f64) -> String {
    let clock = if clock == OWN { "clock".to_owned() } else { format!("clock of {clock}") };
    let direction = if seconds > 0.0 { "ahead of" } else { "behind" };
    format!("{clock} is {:.0} s {direction} the database's: set it by NTP", seconds.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_has_clock_offset_and_direction() {
        assert_eq!(reason(OWN, 600.4), "clock is 600 s ahead of the database's: set it by NTP");
        assert_eq!(reason("b", -7.0), "clock of b is 7 s behind the database's: set it by NTP");
        assert!(!is_wrong(-4.9) && is_wrong(-5.1));
    }
}
