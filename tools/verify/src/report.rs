//! The findings as text.

use crate::databases::Databases;
use crate::events;
use crate::findings::Findings;
use crate::numbers::counted;
use crate::row::Key;
use crate::views::ComparedView;
use anyhow::Result;
use kit::grouped;

/// The result of a verification.
#[derive(Debug)]
pub struct Report {
    /// True if nothing differs.
    pub agrees: bool,
    /// What differs, then the summary.
    pub lines: Vec<String>,
}

/// Reports findings, with at most `limit` rows of each view and `limit` events.
pub async fn report(
    databases: &mut Databases,
    findings: &Findings<'_>,
    limit: usize,
) -> Result<Report> {
    let mut lines = Vec::new();
    for breaches in &findings.breaches {
        let kept = breaches.kept.iter().map(|[row, property, expected, actual]| {
            [format!("write database, {row}: {property}: expected {expected}, found {actual}")]
        });
        report_some(&mut lines, breaches.rule, kept, breaches.count, limit);
    }
    for (view, differing) in &findings.differing {
        let rows = differing.rows.iter().map(|(key, differences)| {
            let row = format!("{}, {}", view.name, named(view, key));
            differences.iter().map(move |difference| format!("{row}: {difference}"))
        });
        report_some(&mut lines, view.name, rows, differing.count(), limit);
    }
    let (unapplied, uncommitted) = (&findings.events.unapplied, &findings.events.uncommitted);
    let described = events::describe(databases, &unapplied[..limit.min(unapplied.len())]).await?;
    let described = described.into_iter().map(|event| [event]);
    let of = "events that are not in the views";
    report_some(&mut lines, of, described, unapplied.len() as u64, limit);
    let processed = uncommitted
        .iter()
        .map(|id| [format!("event {id}: processed on the read side, but not in the outbox")]);
    let of = "events that are not in the outbox";
    report_some(&mut lines, of, processed, uncommitted.len() as u64, limit);
    let agrees = lines.is_empty();
    if findings.events.external > 0 {
        lines.push(report_external(findings.events.external));
    }
    lines.push(if agrees { agreement(findings) } else { disagreement(findings) });
    Ok(Report { agrees, lines })
}

/// Reports at most `limit` of the known items, each by its lines, and how many of all `count`
/// items are omitted.
fn report_some(
    lines: &mut Vec<String>,
    of: &str,
    known: impl ExactSizeIterator<Item: IntoIterator<Item = String>>,
    count: u64,
    limit: usize,
) {
    let reported = known.len().min(limit);
    lines.extend(known.take(limit).flatten());
    if count > reported as u64 {
        lines.push(format!("{of}: … and {} more", grouped(count - reported as u64)));
    }
}

/// The key of a row as text, with the column names.
fn named(view: &ComparedView, key: &Key) -> String {
    let parts: Vec<String> =
        view.key.iter().zip(key).map(|(column, value)| format!("{column} {value}")).collect();
    parts.join(", ")
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
        counted(findings.events.committed, "event")
    )
}

fn disagreement(findings: &Findings<'_>) -> String {
    let breaches = findings.breaches.iter().map(|breaches| breaches.count).sum();
    let parts = [
        (findings.differing_rows(), "row", "different"),
        (findings.events.unapplied.len() as u64, "event", "not in the views"),
        (findings.events.uncommitted.len() as u64, "event", "not in the outbox"),
        (breaches, "breach", "of a rule of the write database"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, of, what)| format!("{} {what}", counted(count, of)))
        .collect();
    format!("not verified: {}", parts.join(", "))
}
