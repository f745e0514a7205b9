//! Saying how it goes, seldom.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// The time between two lines.
const INTERVAL: Duration = Duration::from_secs(3);

/// Says how it goes, every few seconds at most.
pub struct Progress<'a> {
    note: &'a dyn Fn(&str),
    last: Cell<Instant>,
}

impl<'a> Progress<'a> {
    /// Whoever is quick says nothing.
    pub fn new(note: &'a dyn Fn(&str)) -> Self {
        Self { note, last: Cell::new(Instant::now()) }
    }

    /// Says something, if the last line is old enough.
    pub fn tell(&self, text: impl FnOnce() -> String) {
        if self.last.get().elapsed() >= INTERVAL {
            self.last.set(Instant::now());
            (self.note)(&text());
        }
    }
}
