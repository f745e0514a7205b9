//! The measurements of a phase.

use crate::outcome::NotAccepted;
use kit::{Latencies, grouped};
use std::collections::BTreeMap;
use std::time::Duration;

/// Counts and latencies of a phase.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// The phase.
    pub name: &'static str,
    pub accepted: u64,
    pub failed: u64,
    pub unknown: u64,
    /// Why requests were not accepted, with their number.
    pub reasons: BTreeMap<String, u64>,
    /// Latencies of all requests.
    pub latencies: Latencies,
    /// From the first request to the end of the last.
    pub took: Duration,
    /// Whether the phase was ended because nothing was accepted any more.
    pub abandoned: bool,
}

impl Tally {
    /// Counts a request.
    pub fn count(&mut self, outcome: Result<(), NotAccepted>, latency: Duration) {
        self.latencies.record(latency);
        let (count, reason) = match outcome {
            Ok(()) => (&mut self.accepted, None),
            Err(NotAccepted::Failed(why)) => (&mut self.failed, Some(why)),
            Err(NotAccepted::Unknown(why)) => {
                (&mut self.unknown, Some(format!("{why} (outcome unknown)")))
            }
        };
        *count += 1;
        if let Some(reason) = reason {
            *self.reasons.entry(reason).or_default() += 1;
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

    /// `2 failed, 1 unknown`; none if all were accepted.
    pub fn not_accepted(&self) -> Option<String> {
        let counts = [(self.failed, "failed"), (self.unknown, "unknown")];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        let texts: Vec<String> =
            counts.map(|(count, name)| format!("{} {name}", grouped(count))).collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    }
}
