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
    /// Events that differed in every comparison.
    pub events: Events,
    /// Views with rows that differ.
    pub differing: Vec<(&'a ComparedView, Differing)>,
    /// Broken rules of the write database.
    pub breaches: Vec<Breaches>,
}

impl<'a> Findings<'a> {
    /// Compares everything once.
    pub async fn compare_all(
        databases: &mut Databases,
        views: &'a [ComparedView],
        progress: &Progress,
    ) -> Result<Self> {
        databases.take_snapshots().await?;
        let events = Events::compare(databases, progress).await?;
        let (mut rows, mut differing) = (0, Vec::new());
        for view in views {
            let compared = compare(databases, view, &events.unapplied, None, progress).await?;
            rows += compared.0;
            differing.push((view, compared.1));
        }
        let breaches = invariants::check(databases).await?;
        let mut findings = Self { views: views.len(), rows, events, differing, breaches };
        findings.drop_equal_views();
        Ok(findings)
    }

    /// Repeats the comparison of what differs, until nothing differs or the number of
    /// differences has not fallen for `patience`. So it waits for a backlog that shrinks.
    pub async fn repeat_until_settled(
        &mut self,
        databases: &mut Databases,
        progress: &Progress,
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
                    counted(self.events.unapplied.len() as u64, "event"),
                    counted(self.differing_rows(), "row")
                )
            });
        }
        Ok(())
    }

    async fn repeat(&mut self, databases: &mut Databases, progress: &Progress) -> Result<()> {
        databases.take_snapshots().await?;
        let events = Events::compare(databases, progress).await?;
        for (view, differing) in &mut self.differing {
            let compared = compare(databases, view, &events.unapplied, Some(differing), progress);
            (_, *differing) = compared.await?;
        }
        self.events.keep_common(&events);
        self.drop_equal_views();
        Ok(())
    }

    fn drop_equal_views(&mut self) {
        self.differing.retain(|(_, differing)| differing.count() > 0);
    }

    /// Number of differences that a later comparison can resolve.
    fn differences(&self) -> u64 {
        let Events { unapplied, uncommitted, .. } = &self.events;
        self.differing_rows() + (unapplied.len() + uncommitted.len()) as u64
    }

    /// Number of rows that differ.
    pub fn differing_rows(&self) -> u64 {
        self.differing.iter().map(|(_, differing)| differing.count()).sum()
    }
}
