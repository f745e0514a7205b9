//! What a phase has measured.

use crate::outcome::Outcome;
use anyhow::Context;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;

/// Significant digits of a latency.
const DIGITS: u8 = 3;

/// Longest latency that is told apart, in microseconds: an hour.
const LONGEST: u64 = 3_600_000_000;

/// Counts and latencies of a phase.
#[derive(Clone, Debug)]
pub struct Tally {
    /// What the phase did.
    pub name: &'static str,
    /// Requests by outcome.
    pub accepted: u64,
    /// Refused, or never sent.
    pub failed: u64,
    /// Effect unknown.
    pub unknown: u64,
    /// Why requests were not accepted, and how many.
    pub reasons: BTreeMap<String, u64>,
    /// Latencies of all requests, in microseconds.
    pub latencies: Histogram<u64>,
    /// From the first request to the end of the last.
    pub took: Duration,
    /// Whether the phase was left because nothing was accepted any more.
    pub given_up: bool,
}

impl Tally {
    /// A phase that has not begun.
    ///
    /// # Errors
    /// Never: the histogram's bounds are valid.
    pub fn new(name: &'static str) -> anyhow::Result<Self> {
        Ok(Self {
            name,
            accepted: 0,
            failed: 0,
            unknown: 0,
            reasons: BTreeMap::new(),
            latencies: Histogram::new_with_bounds(1, LONGEST, DIGITS).context("histogram")?,
            took: Duration::ZERO,
            given_up: false,
        })
    }

    /// Counts a request.
    pub fn count(&mut self, outcome: Outcome, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latencies.saturating_record(micros.max(1));
        match outcome {
            Outcome::Accepted => self.accepted += 1,
            Outcome::Failed(why) => {
                self.failed += 1;
                *self.reasons.entry(why).or_default() += 1;
            }
            Outcome::Unknown(why) => {
                self.unknown += 1;
                *self.reasons.entry(format!("{why} (outcome unknown)")).or_default() += 1;
            }
        }
    }

    /// Requests that have an outcome.
    pub const fn requests(&self) -> u64 {
        self.accepted + self.failed + self.unknown
    }

    /// Requests per second.
    pub fn rate(&self) -> f64 {
        let seconds = self.took.as_secs_f64();
        if seconds > 0.0 { self.requests() as f64 / seconds } else { 0.0 }
    }
}
