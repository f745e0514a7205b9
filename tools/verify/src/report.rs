//! What was found, in words.

use crate::comparison::{Difference, Differing};
use crate::databases::Databases;
use crate::events::{self, Description};
use crate::invariants::Breaches;
use crate::looks::Looks;
use crate::row::Key;
use crate::views::{VIEWS, View};
use anyhow::Result;
use uuid::Uuid;

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// Whether nothing differs.
    pub agrees: bool,
    /// What differs, and the result at the end.
    pub lines: Vec<String>,
}

/// Tells what was found in every look, of each view `limit` rows at most.
///
/// # Errors
/// If what is known of events cannot be read.
pub async fn report(databases: &mut Databases, looks: &Looks, limit: usize) -> Result<Report> {
    let mut lines = Vec::new();
    for breaches in &looks.breaches {
        tell_breaches(&mut lines, breaches, limit);
    }
    for (view, differing) in &looks.views {
        tell_rows(&mut lines, view, differing, limit);
    }
    tell_unseen(&mut lines, databases, &looks.unseen, limit).await?;
    for id in looks.uncommitted.iter().take(limit) {
        lines.push(format!("event {id}: dealt with on the read side, but not in the outbox"));
    }
    tell_more(&mut lines, "events that are not in the outbox", looks.uncommitted.len(), limit);
    let agrees = lines.is_empty();
    if looks.strangers > 0 {
        lines.push(tell_strangers(looks.strangers));
    }
    lines.push(if agrees { agreement(looks) } else { disagreement(looks) });
    Ok(Report { agrees, lines })
}

fn tell_breaches(lines: &mut Vec<String>, breaches: &Breaches, limit: usize) {
    for breach in breaches.kept.iter().take(limit) {
        lines.push(format!(
            "write database, {}: {}: expected {}, found {}",
            breach.subject, breach.what, breach.expected, breach.found
        ));
    }
    let count = usize::try_from(breaches.count).unwrap_or(usize::MAX);
    tell_more(lines, breaches.rule, count, limit.min(breaches.kept.len()));
}

fn tell_rows(lines: &mut Vec<String>, view: &View, differing: &Differing, limit: usize) {
    for (key, difference) in differing.rows.iter().take(limit) {
        let row = format!("{}, {}", view.name, named(view, key));
        match difference {
            Difference::Missing(expected) => {
                lines.push(format!("{row}: not there, expected {}", expected.0));
            }
            Difference::Unexpected(found) => {
                lines.push(format!("{row}: not expected, found {}", found.0));
            }
            Difference::Cells(cells) => lines.extend(cells.iter().map(|cell| {
                format!("{row}: {}: expected {}, found {}", cell.column, cell.expected, cell.found)
            })),
        }
    }
    let count = usize::try_from(differing.count()).unwrap_or(usize::MAX);
    tell_more(lines, view.name, count, limit.min(differing.rows.len()));
}

/// The key of a row with the names of its columns.
fn named(view: &View, key: &Key) -> String {
    let parts: Vec<String> = view
        .key
        .iter()
        .zip(key)
        .map(|(column, value)| format!("{} {value}", column.name()))
        .collect();
    parts.join(", ")
}

async fn tell_unseen(
    lines: &mut Vec<String>,
    databases: &mut Databases,
    unseen: &[Uuid],
    limit: usize,
) -> Result<()> {
    let told = unseen.get(..limit).unwrap_or(unseen);
    if !told.is_empty() {
        let letters = events::letters(databases, told).await?;
        for event in events::describe(databases, told).await? {
            let fate = match letters.get(&event.id) {
                Some((number, reason)) => format!("parked as dead letter {number}: {reason}"),
                None => "not in the views".to_owned(),
            };
            lines.push(format!("event {}: {fate}", described(&event)));
        }
    }
    tell_more(lines, "events that are not in the views", unseen.len(), limit);
    Ok(())
}

fn described(event: &Description) -> String {
    let published = match event.published_ago {
        Some(seconds) => format!("published {}", ago(seconds)),
        None => "not yet published".to_owned(),
    };
    format!("{} ({}, committed {}, {published})", event.id, event.kind, ago(event.committed_ago))
}

fn tell_more(lines: &mut Vec<String>, of: &str, count: usize, told: usize) {
    if count > told {
        lines.push(format!("{of}: … and {} more", grouped((count - told) as u64)));
    }
}

fn tell_strangers(count: u64) -> String {
    let (are, explain) = match count {
        1 => ("is", "explains differences in what it touches"),
        _ => ("are", "explain differences in what they touch"),
    };
    let events = counted(count, "event");
    format!(
        "note: {events} that others sent straight to the queues {are} in the views, and {explain}"
    )
}

fn agreement(looks: &Looks) -> String {
    format!(
        "verified: no difference in {} views ({}) and {}",
        VIEWS.len(),
        counted(looks.rows, "row"),
        counted(looks.committed, "event")
    )
}

fn disagreement(looks: &Looks) -> String {
    let breaches = looks.breaches.iter().map(|breaches| breaches.count).sum();
    let parts = [
        (looks.differing_rows(), "row", "different"),
        (looks.unseen.len() as u64, "event", "not in the views"),
        (looks.uncommitted.len() as u64, "event", "not in the outbox"),
        (breaches, "breach", "of a rule of the write database"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, of, what)| format!("{} {what}", counted(count, of)))
        .collect();
    format!("not verified: {}", parts.join(", "))
}

/// A number of things.
pub fn counted(count: u64, of: &str) -> String {
    let plural = match count {
        1 => "",
        _ if of.ends_with("ch") => "es",
        _ => "s",
    };
    format!("{} {of}{plural}", grouped(count))
}

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How long ago something was.
fn ago(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s ago"),
        120..7200 => format!("{} min ago", seconds / 60),
        7200.. => format!("{} h ago", grouped((seconds / 3600).unsigned_abs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_easy_to_read() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"].map(str::to_owned)
        );
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(2, "breach"), "2 breaches");
        assert_eq!(
            [0, 119, 120, 7200].map(ago),
            ["0 s ago", "119 s ago", "2 min ago", "2 h ago"].map(str::to_owned)
        );
    }
}
