//! The invariants that hold after any fault: see docs/architecture.md.

use super::ledger::Entries;
use crate::harness::Shop;
use crate::harness::database::{DEAD_LETTERS, UNPUBLISHED};
use std::collections::{BTreeMap, BTreeSet};

/// The violated invariants of a shop that has caught up.
pub async fn violations(shop: &Shop, entries: &Entries) -> Vec<String> {
    let orders_of_customers = "SELECT id, customer_id FROM orders";
    let mut found = exactly_once(shop, "orders", orders_of_customers, &entries.orders).await;
    // Refunds by status changes have no reason.
    let refunds_of_orders = "SELECT id, order_id FROM refunds WHERE reason IS NOT NULL";
    found.extend(exactly_once(shop, "refunds", refunds_of_orders, &entries.refunds).await);
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

/// Everything that was accepted exists exactly once, and nothing else exists. `rows` reads it.
async fn exactly_once(
    shop: &Shop,
    what: &str,
    rows: &'static str,
    entries: &[(i64, i64)],
) -> Vec<String> {
    let rows: Vec<(i64, i64)> =
        sqlx::query_as(rows).fetch_all(&shop.databases.write).await.unwrap();
    let existing: BTreeSet<(i64, i64)> = rows.into_iter().collect();
    let accepted: BTreeSet<(i64, i64)> = entries.iter().copied().collect();
    let mut found = Vec::new();
    if accepted.len() != entries.len() {
        found.push(format!("{} idempotency keys got {} {what}", entries.len(), accepted.len()));
    }
    let lost: Vec<_> = accepted.difference(&existing).collect();
    if !lost.is_empty() {
        found.push(format!("accepted and missing: {what} {lost:?}"));
    }
    let duplicated: Vec<_> = existing.difference(&accepted).collect();
    if !duplicated.is_empty() {
        found.push(format!("existing and not accepted: {what} {duplicated:?}"));
    }
    found
}

/// For each product, remaining and sold stock, less returned stock, equal the initial stock.
async fn stock(shop: &Shop, entries: &Entries) -> Vec<String> {
    let rows: Vec<(i64, Option<i64>, i64)> = sqlx::query_as(
        "SELECT products.id, stock::bigint,
                coalesce(sum(
                    stock_taken - coalesce(stock_returned, 0) - coalesce(refunded.units, 0)
                ), 0)::bigint
         FROM products
         LEFT JOIN order_items AS item ON product_id = products.id
         LEFT JOIN (
             SELECT item_id, sum(stock_returned) AS units FROM refund_items GROUP BY item_id
         ) AS refunded ON refunded.item_id = item.id
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
