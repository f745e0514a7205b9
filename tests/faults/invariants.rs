//! What holds after any fault: see docs/architecture.md.

use super::ledger::Books;
use crate::harness::Shop;
use std::collections::{BTreeMap, BTreeSet};

/// What does not hold in a shop that has caught up, of what clients were told.
pub async fn violations(shop: &Shop, books: &Books) -> Vec<String> {
    let mut found = orders(shop, books).await;
    found.extend(stock(shop, books).await);
    let users = shop.databases.query_write("SELECT count(*) FROM users").await;
    if users != books.users as i64 {
        found.push(format!("{users} users, but {} were answered", books.users));
    }
    let unpublished = "SELECT count(*) FROM outbox WHERE published_at IS NULL";
    let unpublished = shop.databases.query_write(unpublished).await;
    if unpublished != 0 {
        found.push(format!("{unpublished} events are not published"));
    }
    let parked = shop.databases.query_read("SELECT count(*) FROM dead_letters").await;
    if parked != books.parked as i64 {
        found.push(format!("{parked} messages were parked, not {}", books.parked));
    }
    found
}

/// Every order that was answered exists exactly once, and no other.
async fn orders(shop: &Shop, books: &Books) -> Vec<String> {
    let rows: Vec<(i64, i64)> = sqlx::query_as("SELECT id, customer_id FROM orders")
        .fetch_all(&shop.databases.write)
        .await
        .unwrap();
    let there: BTreeSet<(i64, i64)> = rows.into_iter().collect();
    let answered: BTreeSet<(i64, i64)> = books.orders.iter().copied().collect();
    let mut found = Vec::new();
    if answered.len() != books.orders.len() {
        found.push(format!("{} keys got {} orders", books.orders.len(), answered.len()));
    }
    let lost: Vec<_> = answered.difference(&there).collect();
    if !lost.is_empty() {
        found.push(format!("answered and not there: orders {lost:?} (id, customer)"));
    }
    let doubled: Vec<_> = there.difference(&answered).collect();
    if !doubled.is_empty() {
        found.push(format!("there and not answered: orders {doubled:?} (id, customer)"));
    }
    found
}

/// Of each product: what is left, and what was sold and not put back, is what was put
/// in.
async fn stock(shop: &Shop, books: &Books) -> Vec<String> {
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
    let there: BTreeMap<i64, Option<i64>> =
        rows.iter().map(|(id, left, sold)| (*id, left.map(|left| left + sold))).collect();
    let mut found = Vec::new();
    if there != books.products {
        found.push(format!("put in {:?}, left and sold {there:?}", books.products));
    }
    if rows.iter().any(|(_, left, _)| left.is_some_and(|left| left < 0)) {
        found.push(format!("stock below zero: {rows:?}"));
    }
    found
}
