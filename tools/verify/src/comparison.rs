//! Comparing a view with what it is to have.

use crate::databases::{Databases, failure};
use crate::merge::{Pair, merge};
use crate::progress::Progress;
use crate::report::grouped;
use crate::row::{Cell, Key, Row};
use crate::views::View;
use anyhow::{Context, Result};
use futures::{Stream, TryStreamExt};
use sqlx::{AssertSqlSafe, PgConnection};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Most rows of a view that are followed from look to look. If more differ,
/// something is so wrong that nobody reads them all.
const FOLLOWED: usize = 10_000;

/// How a row differs.
#[derive(Debug)]
pub enum Difference {
    /// It is expected, and not there.
    Missing(Row),
    /// It is there, and not expected.
    Unexpected(Row),
    /// These columns differ.
    Cells(Vec<Cell>),
}

/// The rows of a view that differ.
#[derive(Debug, Default)]
pub struct Differing {
    /// Those with the lowest keys.
    pub rows: BTreeMap<Key, Difference>,
    /// How many more there are, of higher keys.
    pub beyond: u64,
}

impl Differing {
    /// How many rows differ.
    pub fn count(&self) -> u64 {
        self.rows.len() as u64 + self.beyond
    }
}

/// A comparison under way.
struct Comparison<'a> {
    view: &'static View,
    /// What differed in the looks before; none in the first look.
    before: Option<&'a Differing>,
    rows: u64,
    differing: Differing,
}

/// Compares a view, without the unseen events. Returns how many rows it is to
/// have, and those that differ, of those that differed before.
///
/// # Errors
/// If a statement fails.
pub async fn compare(
    databases: &mut Databases,
    view: &'static View,
    unseen: &[Uuid],
    before: Option<&Differing>,
    progress: &Progress<'_>,
) -> Result<(u64, Differing)> {
    let mut comparison = Comparison { view, before, rows: 0, differing: Differing::default() };
    let expected = expected(&mut databases.write, view, unseen);
    let shown = shown(&mut databases.read, view);
    let order = |expected: &Row, shown: &Row| expected.compare_keys(shown, view);
    merge(expected, shown, order, |pair| {
        progress.tell(|| format!("comparing {}: {} rows", view.name, grouped(comparison.rows)));
        comparison.take(pair)
    })
    .await?;
    Ok((comparison.rows, comparison.finish()))
}

fn expected(
    connection: &mut PgConnection,
    view: &'static View,
    unseen: &[Uuid],
) -> impl Stream<Item = Result<Row>> {
    sqlx::query_scalar(AssertSqlSafe(view.expected()))
        .bind(unseen.to_vec())
        // Planned for these events: there may be none or a million.
        .persistent(false)
        .fetch(connection)
        .map_ok(Row)
        .map_err(|error| failed(error, view, "write"))
}

fn shown(connection: &mut PgConnection, view: &'static View) -> impl Stream<Item = Result<Row>> {
    sqlx::query_scalar(AssertSqlSafe(view.shown()))
        .fetch(connection)
        .map_ok(Row)
        .map_err(|error| failed(error, view, "read"))
}

fn failed(error: sqlx::Error, view: &View, side: &str) -> anyhow::Error {
    failure(error, &format!("cannot read {} from the {side} database", view.name))
}

impl Comparison<'_> {
    fn take(&mut self, pair: Pair<Row, Row>) -> Result<()> {
        self.rows += u64::from(!matches!(pair, Pair::Right(_)));
        let (key, difference) = match pair {
            Pair::Both(expected, shown) if expected == shown => return Ok(()),
            Pair::Both(expected, shown) => {
                (expected.key(self.view), Difference::Cells(expected.differences(&shown)?))
            }
            Pair::Left(expected) => (expected.key(self.view), Difference::Missing(expected)),
            Pair::Right(shown) => (shown.key(self.view), Difference::Unexpected(shown)),
        };
        self.note(key.context("a row without a key")?, difference);
        Ok(())
    }

    fn note(&mut self, key: Key, difference: Difference) {
        let (follows, beyond) = match self.before {
            None => {
                let follows = self.differing.rows.len() < FOLLOWED;
                (follows, !follows)
            }
            Some(before) => {
                let last = before.rows.last_key_value();
                (before.rows.contains_key(&key), last.is_some_and(|(last, _)| key > *last))
            }
        };
        if follows {
            self.differing.rows.insert(key, difference);
        } else {
            self.differing.beyond += u64::from(beyond);
        }
    }

    fn finish(mut self) -> Differing {
        // Which ones these were is not known, but not more of them can have
        // differed in every look than in any one.
        if let Some(before) = self.before {
            self.differing.beyond = self.differing.beyond.min(before.beyond);
        }
        self.differing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::VIEWS;

    fn look(before: Option<&Differing>, products: impl Iterator<Item = usize>) -> Differing {
        let view = &VIEWS[0];
        let mut comparison = Comparison { view, before, rows: 0, differing: Differing::default() };
        for product in products {
            let row = Row(format!(r#"{{"product_id":{product}}}"#));
            comparison.take(Pair::Left(row)).unwrap();
        }
        comparison.finish()
    }

    #[test]
    fn only_rows_that_differ_in_every_look_are_left() {
        let first = look(None, 1..5);
        let second = look(Some(&first), [2, 4, 6].into_iter());
        assert_eq!(second.count(), 2);
        assert_eq!(look(Some(&second), 5..7).count(), 0);
    }

    #[test]
    fn of_very_many_rows_the_last_are_only_counted() {
        let first = look(None, 0..FOLLOWED + 30);
        assert_eq!((first.rows.len(), first.beyond), (FOLLOWED, 30));
        let second = look(Some(&first), FOLLOWED - 1..FOLLOWED + 100);
        assert_eq!((second.rows.len(), second.beyond), (1, 30));
        assert_eq!(look(Some(&second), FOLLOWED + 1..FOLLOWED + 3).count(), 2);
    }
}
