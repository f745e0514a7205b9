//! `orders_read`: each order as it stands, with its lines.

use super::Projection;
use super::sales::Step;
use futures::FutureExt;
use futures::future::BoxFuture;
use shared_events::{Event, Topic};
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// Keeps `orders_read`.
pub struct Orders;

impl Projection for Orders {
    fn view(&self) -> &'static str {
        "orders_read"
    }

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
    let version = |event: &Event| (event.envelope.aggregate_version, event.envelope.event_id);
    let mut newest: BTreeMap<i64, (&Event, Step<'_>)> = BTreeMap::new();
    for (event, step) in events.iter().filter_map(|event| Some((event, Step::of(event)?))) {
        let known = newest.entry(step.order_id).or_insert((event, step));
        if version(event) > version(known.0) {
            *known = (event, step);
        }
    }
    newest
}
