//! `refunds_read`: the refunds of orders.

use super::order_change::OrderChange;
use shared_events::{Event, RefundItem};
use sqlx::PgConnection;
use sqlx::types::Decimal;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use uuid::Uuid;

/// A refund as its event describes it.
struct Refund<'a> {
    event_id: Uuid,
    change: OrderChange<'a>,
    items: Vec<RefundItem>,
}

/// Applies events to the view. A refund has one event, so rows do not change, except if external
/// events have the same refund id: the one with the lowest event id is shown.
pub async fn apply(connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
    let refunds = refunds_of(events);
    if refunds.is_empty() {
        return Ok(());
    }
    let items: Vec<String> = refunds
        .values()
        .map(|refund| serde_json::to_string(&refund.items))
        .collect::<Result<_, _>>()
        .map_err(|error| sqlx::Error::Encode(error.into()))?;
    let changes = || refunds.values().map(|refund| refund.change);
    sqlx::query_file!(
        "src/projections/refunds.sql",
        &refunds.keys().copied().collect::<Vec<_>>(),
        &changes().map(|change| change.order_id).collect::<Vec<_>>(),
        &refunds.values().map(Refund::amount).collect::<Vec<_>>(),
        &changes().map(|change| change.refunded_total.as_decimal()).collect::<Vec<_>>(),
        &items,
        &changes().map(|change| change.new_status.to_string()).collect::<Vec<_>>(),
        &changes().map(|change| change.reason.map(str::to_owned)).collect::<Vec<_>>() as _,
        &changes().map(|change| change.changed_at).collect::<Vec<_>>(),
        &refunds.values().map(|refund| refund.event_id).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn refunds_of(events: &[Event]) -> BTreeMap<i64, Refund<'_>> {
    let mut refunds: BTreeMap<i64, Refund<'_>> = BTreeMap::new();
    for event in events {
        let Some(change) = OrderChange::of(event) else { continue };
        let (Some(id), Some(items)) = (change.refund_id, change.refund_items()) else { continue };
        let refund = Refund { event_id: event.envelope.event_id, change, items };
        match refunds.entry(id) {
            Entry::Vacant(entry) => _ = entry.insert(refund),
            Entry::Occupied(mut entry) if refund.event_id < entry.get().event_id => {
                entry.insert(refund);
            }
            Entry::Occupied(_) => {}
        }
    }
    refunds
}

impl Refund<'_> {
    fn amount(&self) -> Decimal {
        self.items.iter().map(|item| item.amount.as_decimal()).sum()
    }
}
