//! The metrics that `docs/metrics.md` documents.

use std::collections::{BTreeMap, BTreeSet};

const DOCUMENT: &str = include_str!("../docs/metrics.md");

/// Metrics with their types and labels, from a section of the file.
pub fn documented(section: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let (_, rest) = DOCUMENT.split_once(&format!("## {section}\n")).unwrap();
    let section = rest.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let labels = cells[3].split(", ").filter(|label| !label.is_empty());
        let labels = labels.map(|label| label.trim_matches('`').to_owned()).collect();
        (cells[1].trim_matches('`').to_owned(), (cells[2].to_owned(), labels))
    })
    .collect()
}
