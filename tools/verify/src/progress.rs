//! Progress messages, at most one every few seconds.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// The shortest time between two messages.
const INTERVAL: Duration = Duration::from_secs(3);

/// Limits progress messages.
pub struct Progress<'a> {
    note: &'a dyn Fn(&str),
    last: Cell<Instant>,
}

impl<'a> Progress<'a> {
    /// Begins. A quick run reports nothing.
    pub fn new(note: &'a dyn Fn(&str)) -> Self {
        Self { note, last: Cell::new(Instant::now()) }
    }

    /// Reports progress, if the last message is old enough.
    pub fn report(&self, text: impl FnOnce() -> String) {
        if self.last.get().elapsed() >= INTERVAL {
            self.last.set(Instant::now());
            (self.note)(&text());
        }
    }
}
