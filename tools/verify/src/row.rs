//! A row as JSON, as PostgreSQL writes it. Numbers stay text and therefore exact.

use crate::views::ComparedView;
use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The row of a view.
#[derive(Debug, PartialEq, Eq)]
pub struct Row(pub String);

/// The values of a row's key columns.
pub type Key = Vec<KeyPart>;

/// The value of a key column. Times are strings of equal form, which sort like the times.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(untagged)]
pub enum KeyPart {
    /// A number.
    Integer(i64),
    /// A string, sorted by its bytes (COLLATE "C").
    Text(String),
}

impl std::fmt::Display for KeyPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(f),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

impl Row {
    /// The values of the key.
    pub fn key(&self, view: &ComparedView) -> Result<Key> {
        let columns = self.columns()?;
        let part = |name: &str| serde_json::from_str(columns.get(name)?.get()).ok();
        let parts = view.key.iter().map(|column| {
            part(column).with_context(|| format!("{}: no {column} in {}", view.name, self.0))
        });
        parts.collect()
    }

    /// The order of two rows by key.
    pub fn compare_keys(&self, other: &Self, view: &ComparedView) -> Result<Ordering> {
        // Nearly all rows are equal and need no parsing.
        if self == other {
            return Ok(Ordering::Equal);
        }
        Ok(self.key(view)?.cmp(&other.key(view)?))
    }

    /// The columns in which `found` differs from this row, with both values as JSON.
    pub fn differences(&self, found: &Self) -> Result<Vec<String>> {
        let (expected, found) = (self.columns()?, found.columns()?);
        let columns =
            expected.keys().chain(found.keys().filter(|key| !expected.contains_key(*key)));
        let differences = columns.filter_map(|column| {
            let value = |raw: &&RawValue| raw.get().to_owned();
            let [expected, found] = [&expected, &found]
                .map(|row| row.get(column).map_or_else(|| "no column".to_owned(), value));
            (expected != found).then(|| format!("{column}: expected {expected}, found {found}"))
        });
        Ok(differences.collect())
    }

    fn columns(&self) -> Result<BTreeMap<&str, &RawValue>> {
        serde_json::from_str(&self.0).with_context(|| format!("not a row: {}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_numbers_and_as_bytes() {
        let row = |text: &str| Row(text.to_owned());
        let [nine, ten] = [r#"{"product_id":9,"x":1}"#, r#"{"product_id":10,"x":1}"#].map(row);
        let product = &ComparedView::with_key("products", &["product_id"]);
        assert_eq!(nine.compare_keys(&ten, product).unwrap(), Ordering::Less);
        let [upper, lower] = [r#"{"category_name":"Z\"a"}"#, r#"{"category_name":"a"}"#].map(row);
        let category = &ComparedView::with_key("categories", &["category_name"]);
        assert_eq!(upper.compare_keys(&lower, category).unwrap(), Ordering::Less);
        assert!(nine.key(category).is_err());
    }

    #[test]
    fn numbers_are_compared_as_they_are_written() {
        let expected = Row(r#"{"a":12345678901234567890.0001,"b":1,"c":null}"#.to_owned());
        let found = Row(r#"{"a":12345678901234567890.0002,"b":1,"c":"x"}"#.to_owned());
        assert_eq!(
            expected.differences(&found).unwrap(),
            [
                "a: expected 12345678901234567890.0001, found 12345678901234567890.0002",
                "c: expected null, found \"x\""
            ]
        );
    }
}
