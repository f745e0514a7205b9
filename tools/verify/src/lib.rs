//! Recomputes every view from the write database, and compares.
//!
//! Exact on a moving system. A look takes a snapshot of the read database first,
//! and only then one of the write database: so whatever the views have is
//! committed in what they are compared with. Which events are committed but not in
//! the views is told by their ids, and the rows are recomputed as they were
//! without these events (`views/as_seen.sql`). So even the sums of the hour that
//! everybody orders in agree to the last decimal.
//!
//! What differs, and events that are not in the views, are looked at again with
//! new snapshots. Reported is what was found in every look.

mod comparison;
mod databases;
mod events;
mod invariants;
mod looks;
mod merge;
mod progress;
mod report;
mod row;
mod views;

pub use report::Report;

use databases::Databases;
use looks::Looks;
use progress::Progress;
use sqlx::postgres::PgConnectOptions;
use std::time::Duration;

/// What is to be verified, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// The write database.
    pub write: PgConnectOptions,
    /// The read database.
    pub read: PgConnectOptions,
    /// How long to look again while nothing of what differs settles.
    pub patience: Duration,
    /// Most rows told of each view, and most events.
    pub differences: usize,
}

/// Compares every view with the write database; `note` is told how it goes, every
/// few seconds.
///
/// # Errors
/// If it could not be found out: a database is not reachable, or not migrated.
pub async fn verify(request: &Request, note: &dyn Fn(&str)) -> anyhow::Result<Report> {
    let progress = Progress::new(note);
    let mut databases = Databases::connect(&request.write, &request.read).await?;
    let mut looks = Looks::first(&mut databases, &progress).await?;
    looks.again_until_settled(&mut databases, &progress, request.patience).await?;
    report::report(&mut databases, &looks, request.differences).await
}
