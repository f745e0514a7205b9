//! What sales views add up: pieces, revenue and orders.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use shared_events::{Event, OrderCreated, OrderLine, Payload};
use std::collections::{BTreeMap, BTreeSet};

/// What a batch of events adds to one row of a sales view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Pieces ordered.
    pub quantity: i64,
    /// Revenue. An order's total is below 10^12 and a batch has at most 65,535
    /// of them, so the sum fits a `Decimal` of four decimals, which ends near
    /// 7.9 × 10^24. Whether it fits the view is for the database to say.
    pub revenue: Decimal,
    /// Orders that name the row's key, each once.
    pub orders: i64,
}

/// The orders placed among the events, with the events.
pub fn placed(events: &[Event]) -> impl Iterator<Item = (&Event, &OrderCreated)> {
    events.iter().filter_map(|event| match &event.payload {
        Payload::OrderCreated(order) => Some((event, order)),
        Payload::ProductCreated(_) | Payload::ProductUpdated(_) | Payload::PriceChanged(_) => None,
    })
}

/// Adds up the lines of orders by a key. An order counts once per key, however
/// many of its lines have that key.
pub fn by_line<K: Ord + Clone>(
    events: &[Event],
    key: impl Fn(&Event, &OrderLine) -> K,
) -> BTreeMap<K, Delta> {
    let mut deltas: BTreeMap<K, Delta> = BTreeMap::new();
    for (event, order) in placed(events) {
        let mut keys = BTreeSet::new();
        for line in &order.items {
            let key = key(event, line);
            let delta = deltas.entry(key.clone()).or_default();
            delta.quantity += i64::from(line.quantity);
            delta.revenue += line.amount().unwrap_or_default().as_decimal();
            keys.insert(key);
        }
        for key in keys {
            deltas.entry(key).or_default().orders += 1;
        }
    }
    deltas
}

/// Adds up whole orders by a key.
pub fn by_order<K: Ord>(
    events: &[Event],
    key: impl Fn(&Event, &OrderCreated) -> K,
) -> BTreeMap<K, Delta> {
    let mut deltas: BTreeMap<K, Delta> = BTreeMap::new();
    for (event, order) in placed(events) {
        let delta = deltas.entry(key(event, order)).or_default();
        delta.revenue += order.total.as_decimal();
        delta.orders += 1;
    }
    deltas
}

/// The hour that an order belongs to.
pub fn hour(event: &Event) -> DateTime<Utc> {
    let time = event.envelope.timestamp;
    let second = time.timestamp();
    DateTime::from_timestamp(second - second.rem_euclid(3600), 0).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projections::samples::{line, order};

    #[test]
    fn an_order_counts_once_however_many_lines_name_the_key() {
        let events = [order(
            1,
            7,
            vec![line(1, "Tea", 2, "1.5"), line(1, "Tea", 1, "2"), line(2, "Tea", 1, "9")],
        )];
        let by_product = by_line(&events, |_, line| line.product_id);
        let delta = |quantity, revenue: &str, orders| Delta {
            quantity,
            revenue: revenue.parse().unwrap(),
            orders,
        };
        assert_eq!(by_product[&1], delta(3, "5", 1));
        assert_eq!(by_product[&2], delta(1, "9", 1));
        let by_category = by_line(&events, |_, line| line.category.clone());
        assert_eq!(by_category["Tea"], delta(4, "14", 1));
    }

    #[test]
    fn orders_add_up_by_customer() {
        let events = [
            order(1, 7, vec![line(1, "Tea", 2, "1.5")]),
            order(2, 7, vec![line(1, "Tea", 1, "0.0001")]),
        ];
        let by_customer = by_order(&events, |_, order| order.customer_id);
        assert_eq!(by_customer[&7].revenue, "3.0001".parse().unwrap());
        assert_eq!(by_customer[&7].orders, 2);
    }
}
