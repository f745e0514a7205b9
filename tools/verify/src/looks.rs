//! Looking, and looking again at what differed.

use crate::comparison::{Differing, compare};
use crate::databases::Databases;
use crate::events::Events;
use crate::invariants::{self, Breaches};
use crate::progress::Progress;
use crate::report::counted;
use crate::views::{VIEWS, View};
use anyhow::Result;
use std::time::{Duration, Instant};
use tokio::time::sleep;
use uuid::Uuid;

/// The pause before the second look. It doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What was found in every look.
#[derive(Debug)]
pub struct Looks {
    /// How many rows the views are to have, by the first look.
    pub rows: u64,
    /// How many events were ever committed, by the first look.
    pub committed: u64,
    /// How many events of strangers are in the views.
    pub strangers: u64,
    /// Views with rows that differ.
    pub views: Vec<(&'static View, Differing)>,
    /// Events that are not in the views.
    pub unseen: Vec<Uuid>,
    /// Events that were applied as ours, and are not in the outbox.
    pub uncommitted: Vec<Uuid>,
    /// What is wrong in the write database as such.
    pub breaches: Vec<Breaches>,
}

impl Looks {
    /// Looks at everything.
    ///
    /// # Errors
    /// If a database does not answer.
    pub async fn first(databases: &mut Databases, progress: &Progress<'_>) -> Result<Self> {
        databases.look().await?;
        let events = Events::compare(databases, progress).await?;
        let mut looks = Self {
            rows: 0,
            committed: events.committed,
            strangers: events.strangers,
            views: Vec::new(),
            unseen: Vec::new(),
            uncommitted: events.uncommitted,
            breaches: Vec::new(),
        };
        for view in &VIEWS {
            let compared = compare(databases, view, &events.unseen, None, progress);
            let (rows, differing) = compared.await?;
            looks.rows += rows;
            looks.views.push((view, differing));
        }
        looks.unseen = events.unseen;
        looks.breaches = invariants::check(databases).await?;
        looks.drop_settled_views();
        Ok(looks)
    }

    /// Looks again at what differed, until nothing does any more, or nothing of it
    /// has settled for so long. So a backlog that shrinks is waited for.
    ///
    /// # Errors
    /// If a database does not answer.
    pub async fn again_until_settled(
        &mut self,
        databases: &mut Databases,
        progress: &Progress<'_>,
        patience: Duration,
    ) -> Result<()> {
        let (mut pause, mut moved) = (FIRST_PAUSE, Instant::now());
        while self.open() > 0 && moved.elapsed() < patience {
            sleep(pause.min(patience)).await;
            pause = LONGEST_PAUSE.min(pause * 2);
            let before = self.open();
            self.again(databases, progress).await?;
            if self.open() < before {
                moved = Instant::now();
            }
            progress.tell(|| format!("looking again: {}", self.what_is_open()));
        }
        Ok(())
    }

    async fn again(&mut self, databases: &mut Databases, progress: &Progress<'_>) -> Result<()> {
        databases.look().await?;
        let events = Events::compare(databases, progress).await?;
        keep_common(&mut self.uncommitted, &events.uncommitted);
        keep_common(&mut self.unseen, &events.unseen);
        self.strangers = events.strangers;
        for (view, differing) in &mut self.views {
            let compared = compare(databases, view, &events.unseen, Some(differing), progress);
            let (_, still) = compared.await?;
            *differing = still;
        }
        self.drop_settled_views();
        Ok(())
    }

    fn drop_settled_views(&mut self) {
        self.views.retain(|(_, differing)| differing.count() > 0);
    }

    /// How many rows and events may still settle.
    fn open(&self) -> u64 {
        self.differing_rows() + (self.unseen.len() + self.uncommitted.len()) as u64
    }

    /// How many rows differ.
    pub fn differing_rows(&self) -> u64 {
        self.views.iter().map(|(_, differing)| differing.count()).sum()
    }

    fn what_is_open(&self) -> String {
        format!(
            "{} not in the views, {} different",
            counted(self.unseen.len() as u64, "event"),
            counted(self.differing_rows(), "row")
        )
    }
}

/// Keeps of ascending ids those that are among other ascending ids.
fn keep_common(ids: &mut Vec<Uuid>, others: &[Uuid]) {
    ids.retain(|id| others.binary_search(id).is_ok());
}
