//! The ledger: what the services have confirmed to clients, for comparison with the data.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

/// The ledger of all clients of a shop.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Entries>);

/// The entries of a ledger.
#[derive(Clone, Debug, Default)]
pub struct Entries {
    /// Accepted orders: id and customer.
    pub orders: Vec<(i64, i64)>,
    /// Accepted refunds: id and order.
    pub refunds: Vec<(i64, i64)>,
    /// Number of created users.
    pub users: usize,
    /// Created products with their initial stock; none if it is not tracked.
    pub products: BTreeMap<i64, Option<i64>>,
    /// Number of published messages that must become dead letters.
    pub dead_letters: usize,
    /// Number of repeated requests.
    pub retries: usize,
    /// Number of repeated requests with unknown outcome.
    pub unknown: usize,
    /// Violated invariants.
    pub violations: Vec<String>,
}

impl Ledger {
    /// The entries, locked.
    pub fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap()
    }

    /// Records a violation.
    pub fn violation(&self, text: String) {
        self.entries().violations.push(text);
    }
}
