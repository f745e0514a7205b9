//! Rules that the write database must fulfil.

use crate::databases::Databases;
use anyhow::{Context, Result};
use futures::TryStreamExt;

/// Rules, each with the statement that finds breaches.
const INVARIANTS: [(&str, &str); 5] = [
    ("stock", include_str!("stock.sql")),
    ("orders and their events", include_str!("orders_and_events.sql")),
    ("users and their events", include_str!("users_and_events.sql")),
    ("totals of orders", include_str!("totals.sql")),
    ("refunds of orders", include_str!("refunds.sql")),
];

/// Limit of kept breaches of a rule. More are only counted.
const KEPT: usize = 10_000;

/// The breaches of one rule.
#[derive(Debug)]
pub struct Breaches {
    /// Name of the rule.
    pub rule: &'static str,
    /// The first breaches: row, wrong property, expected and actual value.
    pub kept: Vec<[String; 4]>,
    /// Number of breaches.
    pub count: u64,
}

/// Checks every rule on the snapshot of the write database. A snapshot contains only complete
/// transactions, so one check is enough.
pub async fn check(databases: &mut Databases) -> Result<Vec<Breaches>> {
    let mut all = Vec::new();
    for (rule, statement) in INVARIANTS {
        let mut breaches = Breaches { rule, kept: Vec::new(), count: 0 };
        let mut found = sqlx::query_as(statement).fetch(&mut databases.write);
        while let Some((row, property, expected, actual)) =
            found.try_next().await.with_context(|| format!("cannot check {rule}"))?
        {
            breaches.count += 1;
            if breaches.kept.len() < KEPT {
                breaches.kept.push([row, property, expected, actual]);
            }
        }
        if breaches.count > 0 {
            all.push(breaches);
        }
    }
    Ok(all)
}
