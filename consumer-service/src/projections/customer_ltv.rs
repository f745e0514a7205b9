//! `customer_ltv_view`: what each customer spent.

use super::{Projection, sales};
use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use shared_events::{Event, Topic};
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// Keeps `customer_ltv_view`.
pub struct CustomerLtv;

impl Projection for CustomerLtv {
    fn topics(&self) -> &'static [Topic] {
        &[Topic::Orders]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        events: &'a [Event],
    ) -> BoxFuture<'a, sqlx::Result<()>> {
        add(connection, events).boxed()
    }
}

async fn add(connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
    let deltas = sales::by_order(events, |_, order| order.customer_id);
    if deltas.is_empty() {
        return Ok(());
    }
    let last_orders = last_orders(events);
    sqlx::query!(
        "INSERT INTO customer_ltv_view AS view
             (customer_id, gross_spent, gross_orders, last_order_date)
         SELECT * FROM unnest($1::bigint[], $2::numeric[], $3::bigint[], $4::timestamptz[])
         ON CONFLICT (customer_id) DO UPDATE
         SET gross_spent = view.gross_spent + excluded.gross_spent,
             gross_orders = view.gross_orders + excluded.gross_orders,
             last_order_date = greatest(view.last_order_date, excluded.last_order_date)",
        &deltas.keys().copied().collect::<Vec<_>>(),
        &deltas.values().map(|delta| delta.revenue).collect::<Vec<_>>(),
        &deltas.values().map(|delta| delta.orders).collect::<Vec<_>>(),
        &last_orders.values().copied().collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// When each customer ordered last; the same customers, in the same order, as
/// those that have deltas.
fn last_orders(events: &[Event]) -> BTreeMap<i64, DateTime<Utc>> {
    let mut last_orders = BTreeMap::new();
    for (event, order) in sales::placed(events) {
        let time = event.envelope.timestamp;
        let last = last_orders.entry(order.customer_id).or_insert(time);
        *last = time.max(*last);
    }
    last_orders
}
