//! The measurements of a run of requests.

use crate::figures::median;
use crate::report::{Row, Unit};
use kit::{Latencies, grouped};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

#[derive(Clone, Debug)]
pub struct Measured {
    /// Expected responses in the measured window.
    pub accepted: u64,
    /// Expected responses, also before and after the window.
    pub accepted_in_all: u64,
    /// Unexpected outcomes, with their counts.
    failures: BTreeMap<String, u64>,
    /// Of the accepted requests in the window.
    pub latencies: Latencies,
    pub window: (Instant, Instant),
    pub begun: Instant,
    /// When the last response arrived.
    pub ended: Instant,
}

impl Measured {
    /// A run that begins now and is measured in that window.
    pub fn begin(begun: Instant, window: (Instant, Instant)) -> Self {
        Self {
            accepted: 0,
            accepted_in_all: 0,
            failures: BTreeMap::new(),
            latencies: Latencies::default(),
            window,
            begun,
            ended: begun,
        }
    }

    /// Counts an expected response. `since` is when its latency began.
    pub fn accept(&mut self, since: Instant, now: Instant) {
        self.accepted_in_all += 1;
        self.ended = self.ended.max(now);
        if (self.window.0..=self.window.1).contains(&now) {
            self.accepted += 1;
            self.latencies.record(now.saturating_duration_since(since));
        }
    }

    pub fn fail(&mut self, what: String, now: Instant) {
        self.ended = self.ended.max(now);
        *self.failures.entry(what).or_default() += 1;
    }

    pub fn rate(&self) -> f64 {
        let window = self.window.1.saturating_duration_since(self.window.0);
        self.accepted as f64 / window.max(Duration::from_micros(1)).as_secs_f64()
    }

    /// How many responses were not as expected.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// What was not as expected, if anything.
    pub fn flag(&self) -> Option<String> {
        let kinds =
            self.failures.iter().map(|(what, count)| format!("{} × {what}", grouped(*count)));
        (self.failed() > 0).then(|| kinds.collect::<Vec<_>>().join(", "))
    }
}

/// What was not as expected in any of several runs.
pub fn flags(runs: &[Measured]) -> Option<String> {
    let flags: Vec<String> = runs.iter().filter_map(Measured::flag).collect();
    (!flags.is_empty()).then(|| flags.join("; "))
}

/// The median of a figure of several runs.
pub fn median_of(runs: &[Measured], figure: impl Fn(&Measured) -> f64) -> f64 {
    median(runs.iter().map(figure))
}

/// A row of the median rate of several runs.
pub fn rate_row(what: &str, runs: &[Measured]) -> Row {
    Row::new(what, median_of(runs, Measured::rate), Unit::PerSecond).flagged(flags(runs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_responses_in_the_window_are_measured() {
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        let mut run = Measured::begin(begun, (at(1_000), at(3_000)));
        run.accept(at(0), at(500));
        run.accept(at(998), at(1_000));
        run.accept(at(2_000), at(2_010));
        run.accept(at(2_900), at(3_100));
        run.fail("500".to_owned(), at(3_050));
        assert_eq!((run.accepted, run.accepted_in_all, run.failed()), (2, 4, 1));
        assert_eq!(run.rate(), 1.0);
        assert!((run.latencies.mean() - 6.0).abs() < 0.01, "{}", run.latencies.mean());
        assert_eq!(run.ended, at(3_100));
        assert_eq!(flags(&[run]), Some("1 × 500".to_owned()));
    }
}
