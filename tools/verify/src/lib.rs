//! Recomputes every view from the write database, and compares.
//!
//! The result is exact while the system is running. A comparison takes a snapshot of the read
//! database first and of the write database second, so the write snapshot contains every event
//! that the views contain. Events that are committed but not in the views are known by their
//! ids, and the expected rows are computed without them (`views/applied_state.sql`). So even
//! the sums of the current hour agree to the last decimal.
//!
//! Rows that differ, and events that are not in the views, are compared again with new
//! snapshots. Only what differs in every comparison is reported.

mod comparison;
mod databases;
mod events;
mod findings;
mod invariants;
mod merge;
mod numbers;
mod progress;
mod report;
mod row;
mod views;

pub use report::Report;

use databases::Databases;
use findings::Findings;
use progress::Progress;
use sqlx::postgres::PgConnectOptions;
use std::time::Duration;

/// What to verify, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// The write database.
    pub write: PgConnectOptions,
    /// The read database.
    pub read: PgConnectOptions,
    /// How long to repeat the comparison while the number of differences does not fall.
    pub patience: Duration,
    /// Limit of reported rows of each view, and of reported events.
    pub differences: usize,
}

/// Compares every view with the write database. `note` receives a progress message every few
/// seconds.
///
/// # Errors
/// If a database is not reachable or not migrated.
pub async fn verify(request: &Request, note: &dyn Fn(&str)) -> anyhow::Result<Report> {
    let progress = Progress::new(note);
    let mut databases = Databases::connect(&request.write, &request.read).await?;
    let views = views::load(&mut databases).await?;
    let mut findings = Findings::compare_all(&mut databases, &views, &progress).await?;
    findings.repeat_until_settled(&mut databases, &progress, request.patience).await?;
    report::report(&mut databases, &findings, request.differences).await
}
