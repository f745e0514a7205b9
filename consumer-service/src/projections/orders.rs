//! `orders_read`: each order with its lines and current status.

use super::order_change::{Items, OrderChange};
use shared_events::{Event, Money, OrderHeader, OrderLine};
use sqlx::PgConnection;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::mem;
use uuid::Uuid;

/// An order as the events of a batch describe it: by the newest event, except for properties
/// that only an older one has.
struct Order<'a> {
    change: OrderChange<'a>,
    header: Cow<'a, OrderHeader>,
    /// None if only refunds name the order.
    items: Option<Cow<'a, [OrderLine]>>,
    /// What all of the events refund.
    refunded: Money,
    version: i64,
    event_id: Uuid,
}

/// Applies events to the view.
pub async fn apply(connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
    let orders = merge(events);
    if orders.is_empty() {
        return Ok(());
    }
    let items: Vec<Option<String>> = orders
        .values()
        .map(|order| order.items.as_ref().map(serde_json::to_string).transpose())
        .collect::<Result<_, _>>()
        .map_err(|error| sqlx::Error::Encode(error.into()))?;
    let changes = || orders.values().map(|order| order.change);
    sqlx::query_file!(
        "src/projections/orders.sql",
        &orders.keys().copied().collect::<Vec<_>>(),
        &orders.values().map(|order| order.header.customer_id).collect::<Vec<_>>(),
        &changes().map(|change| change.total.map(Money::as_decimal)).collect::<Vec<_>>() as _,
        &changes().map(|change| change.new_status.to_string()).collect::<Vec<_>>(),
        &items as _,
        &orders.values().map(|order| order.version).collect::<Vec<_>>(),
        &orders.values().map(|order| order.event_id).collect::<Vec<_>>(),
        &changes().map(|change| change.ordered_at).collect::<Vec<_>>(),
        &changes().map(|change| change.changed_at).collect::<Vec<_>>(),
        &orders.values().map(|order| order.refunded.as_decimal()).collect::<Vec<_>>(),
        &changes().map(|change| change.reason.map(str::to_owned)).collect::<Vec<_>>() as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Merges the events of each order.
fn merge(events: &[Event]) -> BTreeMap<i64, Order<'_>> {
    let mut orders: BTreeMap<i64, Order<'_>> = BTreeMap::new();
    for event in events {
        let Some(change) = OrderChange::of(event) else { continue };
        let order = Order {
            change,
            header: Cow::Borrowed(change.header),
            items: match change.items {
                Items::Order(lines) => Some(without_refunds(lines)),
                Items::Refund(_) => None,
            },
            refunded: change.refunded,
            version: event.envelope.aggregate_version,
            event_id: event.envelope.event_id,
        };
        match orders.entry(change.order_id) {
            Entry::Vacant(entry) => _ = entry.insert(order),
            Entry::Occupied(mut entry) => entry.get_mut().merge(order),
        }
    }
    orders
}

/// The lines without what was refunded before, which `refunds_read` shows.
fn without_refunds(lines: &[OrderLine]) -> Cow<'_, [OrderLine]> {
    let is_refunded =
        |line: &OrderLine| line.refunded_quantity.is_some() || line.refunded_amount.is_some();
    if !lines.iter().any(is_refunded) {
        return Cow::Borrowed(lines);
    }
    let without = |line: &OrderLine| OrderLine {
        refunded_quantity: None,
        refunded_amount: None,
        ..line.clone()
    };
    lines.iter().map(without).collect()
}

impl Order<'_> {
    /// Merges another event of the order by property, as `orders.sql` does with the stored row.
    /// An optional property `x` of the header is set to `self.header.x.or(other.header.x)`.
    fn merge(&mut self, mut other: Self) {
        if (other.version, other.event_id) > (self.version, self.event_id) {
            mem::swap(self, &mut other);
        }
        self.change.total = self.change.total.or(other.change.total);
        self.refunded = self.refunded.checked_add(other.refunded).unwrap_or(self.refunded);
        let (Some(lines), Some(older)) = (&mut self.items, &other.items) else {
            self.items = self.items.take().or(other.items);
            return;
        };
        if lines != older {
            for (line, older) in lines.to_mut().iter_mut().zip(&**older) {
                if line.product_id == older.product_id {
                    line.stock_taken = line.stock_taken.or(older.stock_taken);
                    line.stock_returned = line.stock_returned.or(older.stock_returned);
                }
            }
        }
    }
}
