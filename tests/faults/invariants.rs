//! The invariants that hold after any fault: see docs/architecture.md.

use super::ledger::Entries;
use crate::harness::Shop;
use crate::harness::database::{DEAD_LETTERS, UNPUBLISHED};
use std::collections::{BTreeMap, BTreeSet};

/// The violated invariants of a shop that has caught up.
pub async fn violations(shop: &Shop, entries: &Entries) -> Vec<String> {
    let mut found = orders(shop, entries).await;
    found.extend(stock(shop, entries).await);
    let users = shop.databases.query_write("SELECT count(*) FROM users").await;
    if users != entries.users as i64 {
        found.push(format!("{users} users, but {} were accepted", entries.users));
    }
    let unpublished = shop.databases.query_write(UNPUBLISHED).await;
    if unpublished != 0 {
        found.push(format!("{unpublished} events are not published"));
    }
    let dead_letters = shop.databases.query_read(DEAD_LETTERS).await;
    if dead_letters != entries.dead_letters as i64 {
        found.push(format!("{dead_letters} dead letters, not {}", entries.dead_letters));
    }
    found
}

/// Every accepted order exists exactly once, and no other order exists.
async fn orders(shop: &Shop, entries: &Entries) -> Vec<String> {
    let rows: Vec<(i64, i64)> = sqlx::query_as("SELECT id, customer_id FROM orders")
        .fetch_all(&shop.databases.write)
        .await
        .unwrap();
    let existing: BTreeSet<(i64, i64)> = rows.into_iter().collect();
    let accepted: BTreeSet<(i64, i64)> = entries.orders.iter().copied().collect();
    let mut found = Vec::new();
    if accepted.len() != entries.orders.len() {
        found.push(format!(
            "{} idempotency keys got {} orders",
            entries.orders.len(),
            accepted.len()
        ));
    }
    let lost: Vec<_> = accepted.difference(&existing).collect();
    if !lost.is_empty() {
        found.push(format!("accepted and missing: orders {lost:?} (id, customer)"));
    }
    let duplicated: Vec<_> = existing.difference(&accepted).collect();
    if !duplicated.is_empty() {
        found.push(format!("existing and not accepted: orders {duplicated:?} (id, customer)"));
    }
    found
}

/// For each product, remaining and sold stock, less returned stock, equal the initial stock.
async fn stock(shop: &Shop, entries: &Entries) -> Vec<String> {
    let rows: Vec<(i64, Option<i64>, i64)> = sqlx::query_as(
        "SELECT products.id, stock::bigint,
                coalesce(sum(stock_taken - coalesce(stock_returned, 0)), 0)::bigint
         FROM products
         LEFT JOIN order_items ON product_id = products.id
         GROUP BY products.id",
    )
    .fetch_all(&shop.databases.write)
    .await
    .unwrap();
    let found_stock: BTreeMap<i64, Option<i64>> = rows
        .iter()
        .map(|(id, remaining, sold)| (*id, remaining.map(|remaining| remaining + sold)))
        .collect();
    let mut found = Vec::new();
    if found_stock != entries.products {
        found.push(format!(
            "initial stock {:?}, remaining and sold {found_stock:?}",
            entries.products
        ));
    }
    if rows.iter().any(|(_, remaining, _)| remaining.is_some_and(|stock| stock < 0)) {
        found.push(format!("negative stock: {rows:?}"));
    }
    found
}
