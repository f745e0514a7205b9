//! Compares the actual rows of a view with the expected rows.

use crate::databases::{Databases, failure};
use crate::merge::{Pair, merge};
use crate::progress::Progress;
use crate::row::{Key, Row};
use crate::views::ComparedView;
use anyhow::{Context, Result};
use futures::{Stream, TryStreamExt};
use kit::grouped;
use sqlx::{AssertSqlSafe, PgConnection};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Limit of the differing rows of a view that are kept between comparisons. More rows are only
/// counted.
const KEPT: usize = 10_000;

/// The differing rows of a view.
#[derive(Debug, Default)]
pub struct Differing {
    /// Rows with the lowest keys, with what differs.
    pub rows: BTreeMap<Key, Vec<String>>,
    /// Number of further rows, with higher keys.
    pub beyond: u64,
}

impl Differing {
    /// Number of differing rows.
    pub fn count(&self) -> u64 {
        self.rows.len() as u64 + self.beyond
    }
}

/// A running comparison.
struct Comparison<'a> {
    view: &'a ComparedView,
    /// What differed in all earlier comparisons; none in the first one.
    before: Option<&'a Differing>,
    rows: u64,
    differing: Differing,
}

/// Compares a view, without the effect of unapplied events. Returns the number of expected
/// rows, and the rows that differ now and in all earlier comparisons.
pub async fn compare(
    databases: &mut Databases,
    view: &ComparedView,
    unapplied: &[Uuid],
    before: Option<&Differing>,
    progress: &Progress,
) -> Result<(u64, Differing)> {
    let mut comparison = Comparison { view, before, rows: 0, differing: Differing::default() };
    let expected = expected(&mut databases.write, view, unapplied);
    let actual = actual(&mut databases.read, view);
    let order = |expected: &Row, actual: &Row| expected.compare_keys(actual, view);
    merge(expected, actual, order, |pair| {
        progress.report(|| format!("comparing {}: {} rows", view.name, grouped(comparison.rows)));
        comparison.take(pair)
    })
    .await?;
    Ok((comparison.rows, comparison.finish()))
}

fn expected(
    connection: &mut PgConnection,
    view: &ComparedView,
    unapplied: &[Uuid],
) -> impl Stream<Item = Result<Row>> {
    sqlx::query_scalar(AssertSqlSafe(view.expected.clone()))
        .bind(unapplied.to_vec())
        // Planned for these events, because there may be none or a million.
        .persistent(false)
        .fetch(connection)
        .map_ok(Row)
        .map_err(|error| failed(error, view, "write"))
}

fn actual(connection: &mut PgConnection, view: &ComparedView) -> impl Stream<Item = Result<Row>> {
    sqlx::query_scalar(AssertSqlSafe(view.actual.clone()))
        .fetch(connection)
        .map_ok(Row)
        .map_err(|error| failed(error, view, "read"))
}

fn failed(error: sqlx::Error, view: &ComparedView, side: &str) -> anyhow::Error {
    failure(error, &format!("cannot read {} from the {side} database", view.name))
}

impl Comparison<'_> {
    fn take(&mut self, pair: Pair<Row, Row>) -> Result<()> {
        self.rows += u64::from(!matches!(pair, Pair::Right(_)));
        let (key, differences) = match pair {
            Pair::Both(expected, actual) if expected == actual => return Ok(()),
            Pair::Both(expected, actual) => {
                (expected.key(self.view), expected.differences(&actual)?)
            }
            Pair::Left(row) => (row.key(self.view), vec![format!("missing, expected {}", row.0)]),
            Pair::Right(row) => (row.key(self.view), vec![format!("unexpected, found {}", row.0)]),
        };
        self.note(key.context("a row has no key")?, differences);
        Ok(())
    }

    fn note(&mut self, key: Key, differences: Vec<String>) {
        let (is_kept, is_beyond) = match self.before {
            None => {
                let is_kept = self.differing.rows.len() < KEPT;
                (is_kept, !is_kept)
            }
            Some(before) => {
                let last = before.rows.last_key_value();
                (before.rows.contains_key(&key), last.is_some_and(|(last, _)| key > *last))
            }
        };
        if is_kept {
            self.differing.rows.insert(key, differences);
        } else {
            self.differing.beyond += u64::from(is_beyond);
        }
    }

    fn finish(mut self) -> Differing {
        // These rows are not known one by one, but no more of them can differ in all
        // comparisons than in any single one.
        if let Some(before) = self.before {
            self.differing.beyond = self.differing.beyond.min(before.beyond);
        }
        self.differing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(before: Option<&Differing>, products: impl Iterator<Item = usize>) -> Differing {
        let view = &ComparedView::with_key("products", &["product_id"]);
        let mut comparison = Comparison { view, before, rows: 0, differing: Differing::default() };
        for product in products {
            let row = Row(format!(r#"{{"product_id":{product}}}"#));
            comparison.take(Pair::Left(row)).unwrap();
        }
        comparison.finish()
    }

    #[test]
    fn only_rows_that_differ_in_every_comparison_remain() {
        let first = compare(None, 1..5);
        let second = compare(Some(&first), [2, 4, 6].into_iter());
        assert_eq!(second.count(), 2);
        assert_eq!(compare(Some(&second), 5..7).count(), 0);
    }

    #[test]
    fn rows_beyond_the_limit_are_only_counted() {
        let first = compare(None, 0..KEPT + 30);
        assert_eq!((first.rows.len(), first.beyond), (KEPT, 30));
        let second = compare(Some(&first), KEPT - 1..KEPT + 100);
        assert_eq!((second.rows.len(), second.beyond), (1, 30));
        assert_eq!(compare(Some(&second), KEPT + 1..KEPT + 3).count(), 2);
    }
}
