//! Progress messages, at most one every few seconds.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// The shortest time between two messages.
const INTERVAL: Duration = Duration::from_secs(3);

/// Limits progress messages. A quick run reports nothing.
pub struct Progress(Cell<Instant>);

impl Default for Progress {
    fn default() -> Self {
        Self(Cell::new(Instant::now()))
    }
}

impl Progress {
    /// Reports progress, if the last message is old enough.
    pub fn report(&self, text: impl FnOnce() -> String) {
        if self.0.get().elapsed() >= INTERVAL {
            self.0.set(Instant::now());
            kit::note(&text());
        }
    }
}
