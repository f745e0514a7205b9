//! Progress messages, at most one every few seconds.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// The shortest time between two messages.
const INTERVAL: Duration = Duration::from_secs(3);

/// Limits progress messages. A quick run reports nothing.
pub struct Progress(Cell<Instant>);

impl Progress {
    /// Begins a run. Its first message comes after [`INTERVAL`].
    pub fn begin() -> Self {
        Self(Cell::new(Instant::now()))
    }

    /// Reports progress, if the last message is old enough.
    pub fn report(&self, text: impl FnOnce() -> String) {
        if self.0.get().elapsed() >= INTERVAL {
            self.0.set(Instant::now());
            kit::note(&text());
        }
    }
}
