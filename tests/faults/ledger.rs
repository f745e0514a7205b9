//! What was answered, to be compared with what is there.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

/// The books of all clients of a shop.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Books>);

/// What clients have been told.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// Orders that were answered 201: the id, and whose it is.
    pub orders: Vec<(i64, i64)>,
    /// How many users were answered 201.
    pub users: usize,
    /// Products that were answered 201, with the stock that was put in; none if it is
    /// not tracked.
    pub products: BTreeMap<i64, Option<i64>>,
    /// Messages that the scenario has published and that must become dead letters.
    pub parked: usize,
    /// Requests that were sent again, as they had no final response.
    pub retries: usize,
    /// Requests of which nobody could know whether they took effect, before they were
    /// sent again.
    pub unknown: usize,
    /// What must not be.
    pub violations: Vec<String>,
}

impl Ledger {
    /// The books, for as long as they are held.
    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap()
    }

    /// Notes something that must not be.
    pub fn violation(&self, text: String) {
        self.books().violations.push(text);
    }
}
