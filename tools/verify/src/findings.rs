//! Compares everything, then repeats the comparison of what differed.

use crate::comparison::{Differing, compare};
use crate::databases::Databases;
use crate::events::Events;
use crate::invariants::{self, Breaches};
use crate::numbers::counted;
use crate::progress::Progress;
use crate::views::ComparedView;
use anyhow::Result;
use std::time::{Duration, Instant};
use tokio::time::sleep;
use uuid::Uuid;

/// The delay before the second comparison. It doubles up to [`LONGEST_DELAY`].
const FIRST_DELAY: Duration = Duration::from_millis(100);

/// The longest delay between comparisons.
const LONGEST_DELAY: Duration = Duration::from_secs(2);

/// What was found in every comparison.
#[derive(Debug)]
pub struct Findings<'a> {
    /// Number of compared views.
    pub views: usize,
    /// Number of expected rows, by the first comparison.
    pub rows: u64,
    /// Number of committed events, by the first comparison.
    pub committed: u64,
    /// Number of external events in the views.
    pub external: u64,
    /// Views with rows that differ.
    pub differing: Vec<(&'a ComparedView, Differing)>,
    /// Committed events that are not in the views.
    pub unapplied: Vec<Uuid>,
    /// Events that were processed as our own, but are not in the outbox.
    pub uncommitted: Vec<Uuid>,
    /// Broken rules of the write database.
    pub breaches: Vec<Breaches>,
}

impl<'a> Findings<'a> {
    /// Compares everything once.
    ///
    /// # Errors
    /// If a statement fails.
    pub async fn compare_all(
        databases: &mut Databases,
        views: &'a [ComparedView],
        progress: &Progress<'_>,
    ) -> Result<Self> {
        databases.take_snapshots().await?;
        let events = Events::compare(databases, progress).await?;
        let mut findings = Self {
            views: views.len(),
            rows: 0,
            committed: events.committed,
            external: events.external,
            differing: Vec::new(),
            unapplied: Vec::new(),
            uncommitted: events.uncommitted,
            breaches: Vec::new(),
        };
        for view in views {
            let compared = compare(databases, view, &events.unapplied, None, progress);
            let (rows, differing) = compared.await?;
            findings.rows += rows;
            findings.differing.push((view, differing));
        }
        findings.unapplied = events.unapplied;
        findings.breaches = invariants::check(databases).await?;
        findings.drop_equal_views();
        Ok(findings)
    }

    /// Repeats the comparison of what differs, until nothing differs or the number of
    /// differences has not fallen for `patience`. So it waits for a backlog that shrinks.
    ///
    /// # Errors
    /// If a statement fails.
    pub async fn repeat_until_settled(
        &mut self,
        databases: &mut Databases,
        progress: &Progress<'_>,
        patience: Duration,
    ) -> Result<()> {
        let (mut delay, mut last_fall) = (FIRST_DELAY, Instant::now());
        while self.differences() > 0 && last_fall.elapsed() < patience {
            sleep(delay.min(patience)).await;
            delay = LONGEST_DELAY.min(delay * 2);
            let before = self.differences();
            self.repeat(databases, progress).await?;
            if self.differences() < before {
                last_fall = Instant::now();
            }
            progress.report(|| {
                format!(
                    "comparing again: {} not in the views, {} different",
                    counted(self.unapplied.len() as u64, "event"),
                    counted(self.differing_rows(), "row")
                )
            });
        }
        Ok(())
    }

    async fn repeat(&mut self, databases: &mut Databases, progress: &Progress<'_>) -> Result<()> {
        databases.take_snapshots().await?;
        let events = Events::compare(databases, progress).await?;
        keep_common(&mut self.uncommitted, &events.uncommitted);
        keep_common(&mut self.unapplied, &events.unapplied);
        self.external = events.external;
        for (view, differing) in &mut self.differing {
            let compared = compare(databases, view, &events.unapplied, Some(differing), progress);
            let (_, still_differing) = compared.await?;
            *differing = still_differing;
        }
        self.drop_equal_views();
        Ok(())
    }

    fn drop_equal_views(&mut self) {
        self.differing.retain(|(_, differing)| differing.count() > 0);
    }

    /// Number of rows and events that a later comparison may find in order.
    fn differences(&self) -> u64 {
        self.differing_rows() + (self.unapplied.len() + self.uncommitted.len()) as u64
    }

    /// Number of rows that differ.
    pub fn differing_rows(&self) -> u64 {
        self.differing.iter().map(|(_, differing)| differing.count()).sum()
    }
}

/// Keeps the ids that are also among the others. Both are ascending.
fn keep_common(ids: &mut Vec<Uuid>, others: &[Uuid]) {
    ids.retain(|id| others.binary_search(id).is_ok());
}
