//! `customer_ltv_view`: sales by customer. A user has a row of zeros before any order.

use super::Projection;
use super::sales::{self, Columns, Step};
use chrono::{DateTime, Utc};
use futures::FutureExt;
use shared_events::{Event, Topic};
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// Keeps `customer_ltv_view`.
pub const CUSTOMER_LTV: Projection = Projection {
    views: &["customer_ltv_view"],
    topics: &[Topic::Orders, Topic::Users],
    apply: |connection, events| add(connection, events).boxed(),
};

async fn add(connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
    let mut deltas = sales::by_order(events, |step| step.customer_id);
    for user in events.iter().filter_map(|event| event.payload.user()) {
        deltas.entry(user.user_id).or_default();
    }
    if deltas.is_empty() {
        return Ok(());
    }
    let placed = last_orders(events);
    let last_orders: Vec<Option<DateTime<Utc>>> =
        deltas.keys().map(|customer_id| placed.get(customer_id).copied()).collect();
    let columns = Columns::of(&deltas);
    sqlx::query_file!(
        "src/projections/customer_ltv.sql",
        &deltas.keys().copied().collect::<Vec<_>>(),
        &columns.total.revenue,
        &columns.total.orders,
        &columns.cancelled.revenue,
        &columns.cancelled.orders,
        &columns.refunded.revenue,
        &columns.refunded.orders,
        &last_orders as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// When customers ordered last.
fn last_orders(events: &[Event]) -> BTreeMap<i64, DateTime<Utc>> {
    let mut last_orders = BTreeMap::new();
    for step in Step::all(events).filter(|step| step.before.is_none()) {
        let last = last_orders.entry(step.customer_id).or_insert(step.ordered_at);
        *last = step.ordered_at.max(*last);
    }
    last_orders
}
