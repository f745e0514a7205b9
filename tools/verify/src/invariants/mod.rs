//! What must hold within the write database.

use crate::databases::Databases;
use anyhow::{Context, Result};
use futures::TryStreamExt;

/// Statements that find what breaks a rule.
const INVARIANTS: [(&str, &str); 4] = [
    ("stock", include_str!("stock.sql")),
    ("orders and their events", include_str!("orders_and_events.sql")),
    ("users and their events", include_str!("users_and_events.sql")),
    ("totals of orders", include_str!("totals.sql")),
];

/// Most breaches of a rule that are kept; the others are counted.
const KEPT: usize = 10_000;

/// Something that breaks a rule.
#[derive(Debug, sqlx::FromRow)]
pub struct Breach {
    /// What it is about.
    pub subject: String,
    /// What of it is wrong.
    pub what: String,
    /// What it is to be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

/// What breaks one rule.
#[derive(Debug)]
pub struct Breaches {
    /// What the rule is about.
    pub rule: &'static str,
    /// The first of them.
    pub kept: Vec<Breach>,
    /// How many there are.
    pub count: u64,
}

/// Checks every rule, on the snapshot of the write database: it cannot be half of
/// a change, and so one look is enough.
///
/// # Errors
/// If a statement fails.
pub async fn check(databases: &mut Databases) -> Result<Vec<Breaches>> {
    let mut all = Vec::new();
    for (rule, statement) in INVARIANTS {
        let mut breaches = Breaches { rule, kept: Vec::new(), count: 0 };
        let mut found = sqlx::query_as(statement).fetch(&mut databases.write);
        while let Some(breach) =
            found.try_next().await.with_context(|| format!("checking {rule}"))?
        {
            breaches.count += 1;
            if breaches.kept.len() < KEPT {
                breaches.kept.push(breach);
            }
        }
        if breaches.count > 0 {
            all.push(breaches);
        }
    }
    Ok(all)
}
