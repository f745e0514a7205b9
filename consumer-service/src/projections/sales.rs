//! The figures of sales views: pieces, revenue and orders, each in total, cancelled and
//! refunded.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use shared_events::{Event, Money, OrderLine, OrderStatus, Payload};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{AddAssign, SubAssign};

/// What an event says of an order: where it came from, where it is now, and
/// the order itself.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    pub order_id: i64,
    pub customer_id: i64,
    /// None: it was placed.
    pub before: Option<OrderStatus>,
    pub after: OrderStatus,
    pub ordered_at: DateTime<Utc>,
    pub items: &'a [OrderLine],
    pub total: Money,
}

/// The effect of a step on sales. An order is placed once, and cancelled or refunded at
/// most once, because both are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Placed,
    Cancelled,
    Refunded,
}

/// Figures of sales.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Pieces.
    pub quantity: i64,
    /// Revenue. An order's total is below 10^12 and a batch has at most 65,535
    /// of them, so the sum fits a `Decimal` of four decimals, which ends near
    /// 7.9 × 10^24. Whether it fits the view is for the database to say.
    pub revenue: Decimal,
    /// Orders that name the row's key, each once.
    pub orders: i64,
}

/// What a batch of events adds to one row of a sales view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Of orders placed, less those cancelled, less those refunded.
    pub total: Figures,
    /// Of orders that were cancelled.
    pub cancelled: Figures,
    /// Of orders that were refunded.
    pub refunded: Figures,
}

impl AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.quantity += other.quantity;
        self.revenue += other.revenue;
        self.orders += other.orders;
    }
}

impl SubAssign for Figures {
    fn sub_assign(&mut self, other: Self) {
        self.quantity -= other.quantity;
        self.revenue -= other.revenue;
        self.orders -= other.orders;
    }
}

impl<'a> Step<'a> {
    /// The step that an event tells of, if it is about an order.
    pub fn of(event: &'a Event) -> Option<Self> {
        match &event.payload {
            Payload::OrderCreated(order) => Some(Self {
                order_id: order.order_id,
                customer_id: order.header.customer_id,
                before: None,
                after: order.status,
                ordered_at: event.envelope.timestamp,
                items: &order.items,
                total: order.total,
            }),
            Payload::OrderStatusUpdated(order) => Some(Self {
                order_id: order.order_id,
                customer_id: order.header.customer_id,
                before: Some(order.old_status),
                after: order.new_status,
                ordered_at: order.ordered_at,
                items: &order.items,
                total: order.total,
            }),
            Payload::ProductCreated(_)
            | Payload::ProductUpdated(_)
            | Payload::PriceChanged(_)
            | Payload::UserCreated(_)
            | Payload::UserUpdated(_)
            | Payload::AccountCreated(_) => None,
        }
    }

    /// The steps among events.
    pub fn all(events: &'a [Event]) -> impl Iterator<Item = Self> {
        events.iter().filter_map(Self::of)
    }

    /// What the step means for sales; other steps mean nothing.
    pub fn effect(&self) -> Option<Effect> {
        match (self.before, self.after) {
            (None, _) => Some(Effect::Placed),
            (Some(before), after) if before == after => None,
            (Some(_), OrderStatus::Cancelled) => Some(Effect::Cancelled),
            (Some(_), OrderStatus::Refunded) => Some(Effect::Refunded),
            (
                Some(_),
                OrderStatus::Created
                | OrderStatus::Paid
                | OrderStatus::Shipped
                | OrderStatus::Delivered,
            ) => None,
        }
    }

    /// The hour that the order belongs to.
    pub fn hour(&self) -> DateTime<Utc> {
        let second = self.ordered_at.timestamp();
        DateTime::from_timestamp(second - second.rem_euclid(3600), 0).unwrap_or(self.ordered_at)
    }
}

/// The deltas of many rows, column by column, as statements take them.
///
/// Columns of figures that are all zero are empty, and count as zeros there: nearly
/// always nothing of a batch was cancelled or refunded, and to send and to read six
/// columns of zeros took a fifth of the time of the whole statement.
#[derive(Debug, Default)]
pub struct Columns {
    pub total: FiguresColumns,
    pub cancelled: FiguresColumns,
    pub refunded: FiguresColumns,
}

/// Figures of many rows.
#[derive(Debug, Default)]
pub struct FiguresColumns {
    pub quantity: Vec<i64>,
    pub revenue: Vec<Decimal>,
    pub orders: Vec<i64>,
}

impl Columns {
    /// The columns of deltas, in their order.
    pub fn of<K>(deltas: &BTreeMap<K, Delta>) -> Self {
        let mut columns = Self::default();
        for delta in deltas.values() {
            columns.total.push(&delta.total);
            columns.cancelled.push(&delta.cancelled);
            columns.refunded.push(&delta.refunded);
        }
        for figures in [&mut columns.total, &mut columns.cancelled, &mut columns.refunded] {
            figures.leave_out_zeros();
        }
        columns
    }
}

impl FiguresColumns {
    fn push(&mut self, figures: &Figures) {
        self.quantity.push(figures.quantity);
        self.revenue.push(figures.revenue);
        self.orders.push(figures.orders);
    }

    fn leave_out_zeros(&mut self) {
        // Each column separately: a batch may place and cancel equally many orders with
        // different quantities.
        if self.quantity.iter().all(|quantity| *quantity == 0) {
            self.quantity.clear();
        }
        if self.revenue.iter().all(Decimal::is_zero) {
            self.revenue.clear();
        }
        if self.orders.iter().all(|orders| *orders == 0) {
            self.orders.clear();
        }
    }
}

impl Delta {
    fn add(&mut self, effect: Effect, figures: Figures) {
        let lost = match effect {
            Effect::Placed => return self.total += figures,
            Effect::Cancelled => &mut self.cancelled,
            Effect::Refunded => &mut self.refunded,
        };
        *lost += figures;
        self.total -= figures;
    }
}

/// Adds up the lines of orders by a key. An order counts once per key, however
/// many of its lines have that key.
pub fn by_line<K: Ord + Clone>(
    events: &[Event],
    key: impl Fn(&Step<'_>, &OrderLine) -> K,
) -> BTreeMap<K, Delta> {
    let mut deltas: BTreeMap<K, Delta> = BTreeMap::new();
    for (step, effect) in effects(events) {
        let mut keys = BTreeSet::new();
        for line in step.items {
            let key = key(&step, line);
            let figures = Figures {
                quantity: line.quantity.into(),
                revenue: line.amount().unwrap_or_default().as_decimal(),
                orders: keys.insert(key.clone()).into(),
            };
            deltas.entry(key).or_default().add(effect, figures);
        }
    }
    deltas
}

/// Adds up whole orders by a key.
pub fn by_order<K: Ord>(events: &[Event], key: impl Fn(&Step<'_>) -> K) -> BTreeMap<K, Delta> {
    let mut deltas: BTreeMap<K, Delta> = BTreeMap::new();
    for (step, effect) in effects(events) {
        let figures = Figures { quantity: 0, revenue: step.total.as_decimal(), orders: 1 };
        deltas.entry(key(&step)).or_default().add(effect, figures);
    }
    deltas
}

fn effects(events: &[Event]) -> impl Iterator<Item = (Step<'_>, Effect)> {
    Step::all(events).filter_map(|step| Some((step, step.effect()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::projections::samples::{line, moved, order};

    fn figures(quantity: i64, revenue: &str, orders: i64) -> Figures {
        Figures { quantity, revenue: revenue.parse().unwrap(), orders }
    }

    #[test]
    fn an_order_counts_once_however_many_lines_name_the_key() {
        let events = [order(
            1,
            7,
            vec![line(1, "Tea", 2, "1.5"), line(1, "Tea", 1, "2"), line(2, "Tea", 1, "9")],
        )];
        let by_product = by_line(&events, |_, line| line.product_id);
        let delta = |quantity, revenue, orders| Delta {
            total: figures(quantity, revenue, orders),
            ..Delta::default()
        };
        assert_eq!(by_product[&1], delta(3, "5", 1));
        assert_eq!(by_product[&2], delta(1, "9", 1));
        let by_category = by_line(&events, |_, line| line.category.clone());
        assert_eq!(by_category["Tea"], delta(4, "14", 1));
    }

    #[test]
    fn columns_of_zeros_are_left_out() {
        let order = order(1, 7, vec![line(1, "Tea", 2, "1.5"), line(2, "Tea", 1, "0")]);
        let placed = Columns::of(&by_line(std::slice::from_ref(&order), |_, line| line.product_id));
        assert_eq!((placed.total.quantity, placed.total.orders), (vec![2, 1], vec![1, 1]));
        assert!(placed.cancelled.revenue.is_empty() && placed.refunded.orders.is_empty());
        let cancelled = moved(&order, 2, OrderStatus::Created, OrderStatus::Cancelled);
        let both = Columns::of(&by_line(&[order, cancelled], |_, line| line.product_id));
        assert!(both.total.orders.is_empty() && both.total.revenue.is_empty());
        assert_eq!(both.cancelled.orders, [1, 1]);
    }

    #[test]
    fn as_many_orders_cancelled_as_placed_may_differ_in_all_else() {
        let small = order(1, 7, vec![line(1, "Tea", 1, "1.5")]);
        let cancelled = moved(&small, 2, OrderStatus::Created, OrderStatus::Cancelled);
        let large = order(2, 7, vec![line(1, "Tea", 3, "2")]);
        let columns = Columns::of(&by_line(&[cancelled, large], |_, line| line.product_id));
        assert_eq!(columns.total.quantity, [2]);
        assert_eq!(columns.total.revenue, [Decimal::new(45, 1)]);
        assert!(columns.total.orders.is_empty());
    }

    #[test]
    fn orders_add_up_by_customer() {
        let events = [
            order(1, 7, vec![line(1, "Tea", 2, "1.5")]),
            order(2, 7, vec![line(1, "Tea", 1, "0.0001")]),
        ];
        let by_customer = by_order(&events, |step| step.customer_id);
        assert_eq!(by_customer[&7].total, figures(0, "3.0001", 2));
    }

    #[test]
    fn only_what_ends_an_order_changes_figures_and_only_once() {
        use OrderStatus::{Cancelled, Created, Paid, Refunded};
        let order = order(1, 7, vec![line(1, "Tea", 2, "1.5")]);
        for (before, after, cancelled, refunded) in [
            (Created, Paid, 0, 0),
            (Created, Cancelled, 1, 0),
            (Paid, Refunded, 0, 1),
            (Paid, Paid, 0, 0),
        ] {
            let events = [moved(&order, 2, before, after)];
            let deltas = by_order(&events, |step| step.customer_id);
            let delta = deltas.get(&7).copied().unwrap_or_default();
            assert_eq!((delta.cancelled.orders, delta.refunded.orders), (cancelled, refunded));
            assert_eq!(delta.total.orders, -cancelled - refunded);
        }
    }

    #[test]
    fn an_order_stays_in_the_hour_in_which_it_was_placed() {
        let order = order(1, 7, vec![line(1, "Tea", 2, "1.5")]);
        let cancelled = moved(&order, 2, OrderStatus::Created, OrderStatus::Cancelled);
        assert_ne!(cancelled.envelope.timestamp, order.envelope.timestamp);
        assert_eq!(Step::of(&cancelled).unwrap().hour(), Step::of(&order).unwrap().hour());
    }
}
