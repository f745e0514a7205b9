//! `products_read_view`: the catalogue. `product_sales_view` counts the stock that orders took.

use super::newest::Newest;
use chrono::{DateTime, Utc};
use shared_events::{Event, ProductState};
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// The changes of one product in a batch.
struct Change<'a> {
    state: Newest<&'a ProductState>,
    /// Sum of the stock deltas.
    stock_delta: i64,
    updated_at: DateTime<Utc>,
}

/// Applies events to the view.
pub async fn apply(connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
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
        &changes.values().map(|change| change.stock_delta).collect::<Vec<_>>(),
        &changes.values().map(|change| change.updated_at).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn fold(events: &[Event]) -> BTreeMap<i64, Change<'_>> {
    let mut changes = BTreeMap::new();
    for (event, state) in events.iter().filter_map(|event| Some((event, event.payload.product()?)))
    {
        let time = event.envelope.timestamp;
        let change = changes.entry(state.product_id).or_insert(Change {
            state: Newest::default(),
            stock_delta: 0,
            updated_at: time,
        });
        change.stock_delta += state.stock_delta;
        change.state.offer(event, state);
        change.updated_at = time.max(change.updated_at);
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projections::sample_events::product;

    #[test]
    fn the_newest_version_wins_and_every_delta_counts() {
        let events = [product(1, 3, Some(9), -1), product(1, 1, Some(10), 10)];
        let changes = fold(&events);
        assert_eq!(changes[&1].state.value.unwrap().name, "Product 1.3");
        assert_eq!(changes[&1].stock_delta, 9);
    }
}
