//! `products_read_view`: the catalogue, with the stock that is left.

use super::Projection;
use super::newest::Newest;
use super::sales::{Effect, Step};
use chrono::{DateTime, Utc};
use futures::FutureExt;
use shared_events::{Event, ProductState, Topic};
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// Keeps `products_read_view`.
pub const PRODUCTS: Projection = Projection {
    view: "products_read_view",
    topics: &[Topic::Products, Topic::Orders],
    apply: |connection, events| add(connection, events).boxed(),
};

/// What a batch says of one product.
struct Change<'a> {
    state: Newest<&'a ProductState>,
    /// Pieces put in, less pieces ordered, plus pieces returned.
    stock: i64,
    updated_at: DateTime<Utc>,
}

async fn add(connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
    let changes = fold(events);
    if changes.is_empty() {
        return Ok(());
    }
    let states = || changes.values().map(|change| change.state.value);
    sqlx::query_file!(
        "src/projections/products.sql",
        &changes.keys().copied().collect::<Vec<_>>(),
        &states().map(|state| state.map(|state| state.name.clone())).collect::<Vec<_>>() as _,
        &states().map(|state| state.map(|state| state.category.clone())).collect::<Vec<_>>() as _,
        &states().map(|state| state.map(|state| state.price.as_decimal())).collect::<Vec<_>>() as _,
        &changes.values().map(|change| change.state.version).collect::<Vec<_>>(),
        &changes.values().map(|change| change.state.event_id).collect::<Vec<_>>(),
        &states().map(|state| state.is_some_and(|s| s.stock.is_some())).collect::<Vec<_>>(),
        &changes.values().map(|change| change.stock).collect::<Vec<_>>(),
        &changes.values().map(|change| change.updated_at).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn fold(events: &[Event]) -> BTreeMap<i64, Change<'_>> {
    let mut changes = BTreeMap::new();
    for event in events {
        if let Some(state) = event.payload.product() {
            let change = touch(&mut changes, state.product_id, event);
            change.stock += state.stock_delta;
            change.state.offer(event, state);
        }
    }
    for (event, step) in events.iter().filter_map(|event| Some((event, Step::of(event)?))) {
        for line in step.items {
            let pieces = match step.effect() {
                Some(Effect::Placed) => -line.stock_taken(),
                Some(Effect::Cancelled) => line.stock_returned(),
                Some(Effect::Refunded) | None => continue,
            };
            touch(&mut changes, line.product_id, event).stock += i64::from(pieces);
        }
    }
    changes
}

fn touch<'a, 'm>(
    changes: &'m mut BTreeMap<i64, Change<'a>>,
    product_id: i64,
    event: &Event,
) -> &'m mut Change<'a> {
    let time = event.envelope.timestamp;
    let change = changes.entry(product_id).or_insert(Change {
        state: Newest::default(),
        stock: 0,
        updated_at: time,
    });
    change.updated_at = time.max(change.updated_at);
    change
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projections::samples::{line, moved, order, product};
    use shared_events::{OrderStatus, Payload};

    #[test]
    fn the_newest_version_wins_and_every_delta_counts() {
        let events = [
            product(1, 3, Some(9), -1),
            product(1, 1, Some(10), 10),
            order(1, 1, vec![line(1, "Tea", 2, "1"), line(1, "Tea", 1, "1")]),
        ];
        let changes = fold(&events);
        assert_eq!(changes[&1].state.value.unwrap().name, "Product 1.3");
        assert_eq!(changes[&1].stock, 6);
    }

    #[test]
    fn a_cancellation_returns_what_it_says_and_a_refund_nothing() {
        let order = order(1, 1, vec![line(1, "Tea", 3, "1")]);
        let mut cancelled = moved(&order, 2, OrderStatus::Created, OrderStatus::Cancelled);
        assert_eq!(fold(&[order.clone(), cancelled.clone()])[&1].stock, 0);
        if let Payload::OrderStatusUpdated(update) = &mut cancelled.payload {
            update.items[0].stock_returned = Some(1);
        }
        assert_eq!(fold(&[order.clone(), cancelled])[&1].stock, -2);
        let refunded = moved(&order, 2, OrderStatus::Paid, OrderStatus::Refunded);
        assert_eq!(fold(&[order, refunded])[&1].stock, -3);
    }

    #[test]
    fn an_order_alone_makes_no_state() {
        let events = [order(1, 1, vec![line(1, "Tea", 2, "1")])];
        assert!(fold(&events)[&1].state.value.is_none());
    }
}
