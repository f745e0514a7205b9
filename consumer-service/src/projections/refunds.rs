//! `refunds_read`: the refunds of orders.

use super::order_change::OrderChange;
use shared_events::{Event, RefundItem};
use sqlx::PgConnection;
use uuid::Uuid;

/// A refund as its event describes it.
struct Refund<'a> {
    refund_id: i64,
    event_id: Uuid,
    change: OrderChange<'a>,
    items: Vec<RefundItem>,
}

/// Applies events to the view.
pub async fn apply(connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
    let refunds: Vec<Refund<'_>> = events.iter().filter_map(Refund::of).collect();
    if refunds.is_empty() {
        return Ok(());
    }
    let items: Vec<String> = refunds
        .iter()
        .map(|refund| serde_json::to_string(&refund.items))
        .collect::<Result<_, _>>()
        .map_err(|error| sqlx::Error::Encode(error.into()))?;
    let changes = || refunds.iter().map(|refund| refund.change);
    sqlx::query_file!(
        "src/projections/refunds.sql",
        &refunds.iter().map(|refund| refund.refund_id).collect::<Vec<_>>(),
        &changes().map(|change| change.order_id).collect::<Vec<_>>(),
        &changes().map(|change| change.refunded.as_decimal()).collect::<Vec<_>>(),
        &changes().map(|change| change.refunded_total.as_decimal()).collect::<Vec<_>>(),
        &items,
        &changes().map(|change| change.new_status.to_string()).collect::<Vec<_>>(),
        &changes().map(|change| change.reason.map(str::to_owned)).collect::<Vec<_>>() as _,
        &changes().map(|change| change.changed_at).collect::<Vec<_>>(),
        &refunds.iter().map(|refund| refund.event_id).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

impl<'a> Refund<'a> {
    fn of(event: &'a Event) -> Option<Self> {
        let change = OrderChange::of(event)?;
        let (refund_id, items) = (change.refund_id?, change.refund_items()?);
        Some(Self { refund_id, event_id: event.envelope.event_id, change, items })
    }
}
