//! `product_sales_view`: sales by product, and what they took from the stock, which
//! `products_read_view` shows.

use super::Projection;
use super::sales::{self, Columns, Effect, Step};
use chrono::{DateTime, Utc};
use futures::FutureExt;
use shared_events::{Event, Topic};
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// Keeps `product_sales_view`, and the stock in `products_read_view`.
pub const PRODUCT_SALES: Projection = Projection {
    views: &["product_sales_view", "products_read_view"],
    topics: &[Topic::Orders],
    apply: |connection, events| add(connection, events).boxed(),
};

/// What orders took from a product's stock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Taken {
    /// Pieces, less those given back.
    pieces: i64,
    /// When the last of them was taken or given back; none if no piece could be.
    moved_at: Option<DateTime<Utc>>,
}

async fn add(connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
    let deltas = sales::by_line(events, |_, line| line.product_id);
    if deltas.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(&deltas);
    let taken = taken(events);
    let taken = || deltas.keys().map(|id| taken.get(id).copied().unwrap_or_default());
    sqlx::query_file!(
        "src/projections/product_sales.sql",
        &deltas.keys().copied().collect::<Vec<_>>(),
        &columns.total.quantity,
        &columns.total.revenue,
        &columns.total.orders,
        &columns.cancelled.quantity,
        &columns.cancelled.revenue,
        &columns.cancelled.orders,
        &columns.refunded.quantity,
        &columns.refunded.revenue,
        &columns.refunded.orders,
        &taken().map(|taken| taken.pieces).collect::<Vec<_>>(),
        &taken().map(|taken| taken.moved_at).collect::<Vec<_>>() as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn taken(events: &[Event]) -> BTreeMap<i64, Taken> {
    let mut all: BTreeMap<i64, Taken> = BTreeMap::new();
    for (event, step) in events.iter().filter_map(|event| Some((event, Step::of(event)?))) {
        for line in step.items {
            let pieces = match step.effect() {
                Some(Effect::Placed) => line.stock_taken(),
                Some(Effect::Cancelled) => -line.stock_returned(),
                Some(Effect::Refunded) | None => continue,
            };
            let taken = all.entry(line.product_id).or_default();
            taken.pieces += i64::from(pieces);
            taken.moved_at = taken.moved_at.max(Some(event.envelope.timestamp));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projections::samples::{line, moved, order};
    use shared_events::{OrderStatus, Payload};

    #[test]
    fn a_cancellation_gives_back_what_it_says_and_a_refund_nothing() {
        let order = order(1, 1, vec![line(1, "Tea", 2, "1"), line(1, "Tea", 1, "1")]);
        let pieces = |events: &[Event]| taken(events)[&1].pieces;
        assert_eq!(pieces(std::slice::from_ref(&order)), 3);
        let mut cancelled = moved(&order, 2, OrderStatus::Created, OrderStatus::Cancelled);
        assert_eq!(pieces(&[order.clone(), cancelled.clone()]), 0);
        if let Payload::OrderStatusUpdated(update) = &mut cancelled.payload {
            update.items[0].stock_returned = Some(0);
        }
        assert_eq!(pieces(&[order.clone(), cancelled.clone()]), 2);
        assert_eq!(
            taken(&[cancelled.clone(), order.clone()])[&1].moved_at,
            Some(cancelled.envelope.timestamp)
        );
        let refunded = moved(&order, 2, OrderStatus::Paid, OrderStatus::Refunded);
        assert_eq!(pieces(&[order, refunded.clone()]), 3);
        assert!(taken(&[refunded]).is_empty());
    }
}
