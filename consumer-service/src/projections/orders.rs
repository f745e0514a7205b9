//! `orders_read`: each order as it stands, with its lines.

use super::newest::Newest;
use super::order_change::OrderChange;
use shared_events::Event;
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// Applies events to the view.
pub async fn apply(connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
    let newest = newest(events);
    if newest.is_empty() {
        return Ok(());
    }
    let items: Vec<String> = newest
        .values()
        .map(|(_, change)| serde_json::to_string(change.items))
        .collect::<Result<_, _>>()
        .map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query_file!(
        "src/projections/orders.sql",
        &newest.keys().copied().collect::<Vec<_>>(),
        &newest.values().map(|(_, change)| change.customer_id).collect::<Vec<_>>(),
        &newest.values().map(|(_, change)| change.total.as_decimal()).collect::<Vec<_>>(),
        &newest.values().map(|(_, change)| change.new_status.to_string()).collect::<Vec<_>>(),
        &items,
        &newest.values().map(|(event, _)| event.envelope.aggregate_version).collect::<Vec<_>>(),
        &newest.values().map(|(event, _)| event.envelope.event_id).collect::<Vec<_>>(),
        &newest.values().map(|(_, change)| change.ordered_at).collect::<Vec<_>>(),
        &newest.values().map(|(event, _)| event.envelope.timestamp).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The newest event of each order.
fn newest(events: &[Event]) -> BTreeMap<i64, (&Event, OrderChange<'_>)> {
    let mut newest: BTreeMap<i64, Newest<(&Event, OrderChange<'_>)>> = BTreeMap::new();
    for (event, change) in events.iter().filter_map(|event| Some((event, OrderChange::of(event)?)))
    {
        newest.entry(change.order_id).or_default().offer(event, (event, change));
    }
    newest.into_iter().filter_map(|(order_id, newest)| Some((order_id, newest.value?))).collect()
}
