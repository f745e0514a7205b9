//! `orders_read`: each order as it stands, with its lines.

use super::Projection;
use super::newest::Newest;
use super::sales::Step;
use futures::FutureExt;
use shared_events::{Event, Topic};
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// Keeps `orders_read`.
pub const ORDERS: Projection = Projection {
    views: &["orders_read"],
    topics: &[Topic::Orders],
    apply: |connection, events| add(connection, events).boxed(),
};

async fn add(connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
    let newest = newest(events);
    if newest.is_empty() {
        return Ok(());
    }
    let items: Vec<String> = newest
        .values()
        .map(|(_, step)| serde_json::to_string(step.items))
        .collect::<Result<_, _>>()
        .map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query_file!(
        "src/projections/orders.sql",
        &newest.keys().copied().collect::<Vec<_>>(),
        &newest.values().map(|(_, step)| step.customer_id).collect::<Vec<_>>(),
        &newest.values().map(|(_, step)| step.total.as_decimal()).collect::<Vec<_>>(),
        &newest.values().map(|(_, step)| step.after.to_string()).collect::<Vec<_>>(),
        &items,
        &newest.values().map(|(event, _)| event.envelope.aggregate_version).collect::<Vec<_>>(),
        &newest.values().map(|(event, _)| event.envelope.event_id).collect::<Vec<_>>(),
        &newest.values().map(|(_, step)| step.ordered_at).collect::<Vec<_>>(),
        &newest.values().map(|(event, _)| event.envelope.timestamp).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The newest event of each order.
fn newest(events: &[Event]) -> BTreeMap<i64, (&Event, Step<'_>)> {
    let mut newest: BTreeMap<i64, Newest<(&Event, Step<'_>)>> = BTreeMap::new();
    for (event, step) in events.iter().filter_map(|event| Some((event, Step::of(event)?))) {
        newest.entry(step.order_id).or_default().offer(event, (event, step));
    }
    newest.into_iter().filter_map(|(order_id, newest)| Some((order_id, newest.value?))).collect()
}
