//! What a run of requests came to.

use crate::figures::grouped;
use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Significant digits of a latency.
const DIGITS: u8 = 3;

/// The longest latency that is told from a longer one: an hour, in microseconds.
const LONGEST: u64 = 3_600_000_000;

/// Counts and latencies of a run.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Answered as expected, in the measured window.
    pub accepted: u64,
    /// Answered as expected, before and after the window, too.
    pub accepted_in_all: u64,
    /// What came instead of what was expected, and how often.
    failures: BTreeMap<String, u64>,
    /// Of the accepted in the window, in microseconds.
    latencies: Histogram<u64>,
    /// The measured window.
    pub window: (Instant, Instant),
    /// When the first request was sent.
    pub begun: Instant,
    /// When the last answer had come.
    pub ended: Instant,
}

impl Measured {
    /// A run that begins now and is measured in that window.
    ///
    /// # Errors
    /// Never: the histogram's bounds are valid.
    pub fn begin(begun: Instant, window: (Instant, Instant)) -> Result<Self> {
        Ok(Self {
            accepted: 0,
            accepted_in_all: 0,
            failures: BTreeMap::new(),
            latencies: Histogram::new_with_bounds(1, LONGEST, DIGITS).context("histogram")?,
            window,
            begun,
            ended: begun,
        })
    }

    /// Counts an answer as expected; `since` is when its latency began.
    pub fn accept(&mut self, since: Instant, answered: Instant) {
        self.accepted_in_all += 1;
        self.ended = self.ended.max(answered);
        if (self.window.0..=self.window.1).contains(&answered) {
            self.accepted += 1;
            let micros = answered.saturating_duration_since(since).as_micros();
            self.latencies.saturating_record(u64::try_from(micros).unwrap_or(u64::MAX).max(1));
        }
    }

    /// Counts anything else.
    pub fn fail(&mut self, what: String, answered: Instant) {
        self.ended = self.ended.max(answered);
        *self.failures.entry(what).or_default() += 1;
    }

    /// Accepted per second of the window.
    pub fn rate(&self) -> f64 {
        let window = self.window.1.saturating_duration_since(self.window.0);
        self.accepted as f64 / window.max(Duration::from_micros(1)).as_secs_f64()
    }

    /// A quantile of the latencies, in milliseconds.
    pub fn quantile(&self, quantile: f64) -> f64 {
        self.latencies.value_at_quantile(quantile) as f64 / 1_000.0
    }

    /// The mean latency, in milliseconds.
    pub fn mean(&self) -> f64 {
        self.latencies.mean() / 1_000.0
    }

    /// How many were not answered as expected.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// What was wrong; none if nothing was.
    pub fn flag(&self) -> Option<String> {
        let kinds =
            self.failures.iter().map(|(what, count)| format!("{} × {what}", grouped(*count)));
        (self.failed() > 0).then(|| kinds.collect::<Vec<_>>().join(", "))
    }
}

/// What was wrong in any of several runs.
pub fn flags(runs: &[Measured]) -> Option<String> {
    let flags: Vec<String> = runs.iter().filter_map(Measured::flag).collect();
    (!flags.is_empty()).then(|| flags.join("; "))
}

/// A figure of each run.
pub fn each(runs: &[Measured], figure: impl Fn(&Measured) -> f64) -> Vec<f64> {
    runs.iter().map(figure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_answered_in_the_window_is_measured() {
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        let mut run = Measured::begin(begun, (at(1_000), at(3_000))).unwrap();
        run.accept(at(0), at(500));
        run.accept(at(998), at(1_000));
        run.accept(at(2_000), at(2_010));
        run.accept(at(2_900), at(3_100));
        run.fail("500".to_owned(), at(3_050));
        assert_eq!((run.accepted, run.accepted_in_all, run.failed()), (2, 4, 1));
        assert_eq!(run.rate(), 1.0);
        assert!((run.mean() - 6.0).abs() < 0.01, "{}", run.mean());
        assert_eq!(run.ended, at(3_100));
        assert_eq!(flags(&[run]), Some("1 × 500".to_owned()));
    }
}
