//! The findings as text.

use crate::comparison::{Difference, Differing};
use crate::databases::Databases;
use crate::events::{self, Description};
use crate::findings::Findings;
use crate::invariants::Breaches;
use crate::numbers::{ago, counted};
use crate::row::Key;
use crate::views::ComparedView;
use anyhow::Result;
use kit::grouped;
use uuid::Uuid;

/// The result of a verification.
#[derive(Debug)]
pub struct Report {
    /// True if nothing differs.
    pub agrees: bool,
    /// What differs, then the summary.
    pub lines: Vec<String>,
}

/// Reports findings, with at most `limit` rows of each view and `limit` events.
///
/// # Errors
/// If a statement fails.
pub async fn report(
    databases: &mut Databases,
    findings: &Findings<'_>,
    limit: usize,
) -> Result<Report> {
    let mut lines = Vec::new();
    for breaches in &findings.breaches {
        report_breaches(&mut lines, breaches, limit);
    }
    for (view, differing) in &findings.differing {
        report_rows(&mut lines, view, differing, limit);
    }
    report_unapplied(&mut lines, databases, &findings.unapplied, limit).await?;
    for id in findings.uncommitted.iter().take(limit) {
        lines.push(format!("event {id}: processed on the read side, but not in the outbox"));
    }
    report_omitted(
        &mut lines,
        "events that are not in the outbox",
        findings.uncommitted.len(),
        limit,
    );
    let agrees = lines.is_empty();
    if findings.external > 0 {
        lines.push(report_external(findings.external));
    }
    lines.push(if agrees { agreement(findings) } else { disagreement(findings) });
    Ok(Report { agrees, lines })
}

fn report_breaches(lines: &mut Vec<String>, breaches: &Breaches, limit: usize) {
    for breach in breaches.kept.iter().take(limit) {
        lines.push(format!(
            "write database, {}: {}: expected {}, found {}",
            breach.subject, breach.what, breach.expected, breach.found
        ));
    }
    let count = usize::try_from(breaches.count).unwrap_or(usize::MAX);
    report_omitted(lines, breaches.rule, count, limit.min(breaches.kept.len()));
}

fn report_rows(lines: &mut Vec<String>, view: &ComparedView, differing: &Differing, limit: usize) {
    for (key, difference) in differing.rows.iter().take(limit) {
        let row = format!("{}, {}", view.name, named(view, key));
        match difference {
            Difference::Missing(expected) => {
                lines.push(format!("{row}: missing, expected {}", expected.0));
            }
            Difference::Unexpected(found) => {
                lines.push(format!("{row}: unexpected, found {}", found.0));
            }
            Difference::Cells(cells) => lines.extend(cells.iter().map(|cell| {
                format!("{row}: {}: expected {}, found {}", cell.column, cell.expected, cell.found)
            })),
        }
    }
    let count = usize::try_from(differing.count()).unwrap_or(usize::MAX);
    report_omitted(lines, view.name, count, limit.min(differing.rows.len()));
}

/// The key of a row as text, with the column names.
fn named(view: &ComparedView, key: &Key) -> String {
    let parts: Vec<String> =
        view.key.iter().zip(key).map(|(column, value)| format!("{column} {value}")).collect();
    parts.join(", ")
}

async fn report_unapplied(
    lines: &mut Vec<String>,
    databases: &mut Databases,
    unapplied: &[Uuid],
    limit: usize,
) -> Result<()> {
    let reported = unapplied.get(..limit).unwrap_or(unapplied);
    if !reported.is_empty() {
        let dead_letters = events::dead_letters(databases, reported).await?;
        for event in events::describe(databases, reported).await? {
            let state = match dead_letters.get(&event.id) {
                Some((number, reason)) => format!("dead letter {number}: {reason}"),
                None => "not in the views".to_owned(),
            };
            lines.push(format!("event {}: {state}", described(&event)));
        }
    }
    report_omitted(lines, "events that are not in the views", unapplied.len(), limit);
    Ok(())
}

fn described(event: &Description) -> String {
    let published = match event.published_ago {
        Some(seconds) => format!("published {}", ago(seconds)),
        None => "not yet published".to_owned(),
    };
    format!(
        "{} ({}, committed {}, {published})",
        event.id,
        event.event_type,
        ago(event.committed_ago)
    )
}

fn report_omitted(lines: &mut Vec<String>, of: &str, count: usize, reported: usize) {
    if count > reported {
        lines.push(format!("{of}: … and {} more", grouped((count - reported) as u64)));
    }
}

fn report_external(count: u64) -> String {
    let (are, explain) = match count {
        1 => ("is", "explains differences in the rows that it changed"),
        _ => ("are", "explain differences in the rows that they changed"),
    };
    format!("note: {} {are} in the views and {explain}", counted(count, "external event"))
}

fn agreement(findings: &Findings<'_>) -> String {
    format!(
        "verified: no difference in {} views ({}) and {}",
        findings.views,
        counted(findings.rows, "row"),
        counted(findings.committed, "event")
    )
}

fn disagreement(findings: &Findings<'_>) -> String {
    let breaches = findings.breaches.iter().map(|breaches| breaches.count).sum();
    let parts = [
        (findings.differing_rows(), "row", "different"),
        (findings.unapplied.len() as u64, "event", "not in the views"),
        (findings.uncommitted.len() as u64, "event", "not in the outbox"),
        (breaches, "breach", "of a rule of the write database"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, of, what)| format!("{} {what}", counted(count, of)))
        .collect();
    format!("not verified: {}", parts.join(", "))
}
