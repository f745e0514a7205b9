//! What an event says about an order.

use chrono::{DateTime, Utc};
use shared_events::{
    Event, Money, OrderHeader, OrderLine, OrderStatus, OrderStatusUpdated, Payload, RefundItem,
};

/// An order as an event describes it.
#[derive(Clone, Copy, Debug)]
pub struct OrderChange<'a> {
    pub order_id: i64,
    pub header: &'a OrderHeader,
    pub new_status: OrderStatus,
    pub ordered_at: DateTime<Utc>,
    /// Time of the event.
    pub changed_at: DateTime<Utc>,
    pub items: Items<'a>,
    /// Sum of all lines; none if the event does not repeat them.
    pub total: Option<Money>,
    /// What the event refunds.
    pub refunded: Money,
    /// Sum of all refunds of the order up to this event, if it is a refund.
    pub refunded_total: Money,
    pub reason: Option<&'a str>,
    /// The refund that the event tells of.
    pub refund_id: Option<i64>,
    /// The effect on sales; none of other changes.
    pub effect: Option<Effect>,
}

/// The lines that an event names.
#[derive(Clone, Copy, Debug)]
pub enum Items<'a> {
    /// All lines of the order.
    Order(&'a [OrderLine]),
    /// What is refunded of some lines, or of all if the order is refunded whole.
    Refund(&'a [RefundItem]),
}

/// The effect of a change on sales. An order is placed once, and cancelled or refunded whole at
/// most once, because both statuses are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Placed,
    Cancelled,
    /// Whether the order is refunded whole, and leaves the counts.
    Refunded {
        whole: bool,
    },
}

/// A change that affects sales.
#[derive(Clone, Debug)]
pub struct Sale<'a> {
    pub change: OrderChange<'a>,
    pub effect: Effect,
    /// Everything that was ordered, or what is refunded.
    pub lines: Vec<SalesLine<'a>>,
}

/// What a sale means to one line.
#[derive(Clone, Copy, Debug)]
pub struct SalesLine<'a> {
    pub product_id: i64,
    pub category: &'a str,
    /// Units.
    pub quantity: i32,
    pub amount: Money,
    /// Units taken from the stock, or put back into it.
    pub stock_moved: i32,
}

impl<'a> OrderChange<'a> {
    /// The change that an event describes, if the event is about an order.
    pub fn of(event: &'a Event) -> Option<Self> {
        let changed_at = event.envelope.timestamp;
        match &event.payload {
            Payload::OrderCreated(order) => Some(Self {
                order_id: order.order_id,
                header: &order.header,
                new_status: order.status,
                ordered_at: changed_at,
                changed_at,
                items: Items::Order(&order.items),
                total: Some(order.total),
                refunded: Money::ZERO,
                refunded_total: Money::ZERO,
                reason: None,
                refund_id: None,
                effect: Some(Effect::Placed),
            }),
            Payload::OrderStatusUpdated(order) => Some(Self {
                order_id: order.order_id,
                header: &order.header,
                new_status: order.new_status,
                ordered_at: order.ordered_at,
                changed_at,
                items: Items::Order(&order.items),
                total: Some(order.total),
                refunded: rest_of_order(order),
                refunded_total: order.total,
                reason: order.reason.as_deref(),
                refund_id: order.refund_id,
                effect: Effect::of_status(order.new_status),
            }),
            Payload::OrderRefunded(refund) => Some(Self {
                order_id: refund.order_id,
                header: &refund.header,
                new_status: refund.status,
                ordered_at: refund.ordered_at,
                changed_at,
                items: Items::Refund(&refund.items),
                total: None,
                refunded: refund.amount,
                refunded_total: refund.refunded_total,
                reason: refund.reason.as_deref(),
                refund_id: Some(refund.refund_id),
                effect: Some(Effect::Refunded { whole: refund.status == OrderStatus::Refunded }),
            }),
            Payload::ProductCreated(_)
            | Payload::ProductUpdated(_)
            | Payload::PriceChanged(_)
            | Payload::UserCreated(_)
            | Payload::UserUpdated(_)
            | Payload::AccountCreated(_) => None,
        }
    }

    /// What was refunded, if the event tells of a refund.
    pub fn refund_items(&self) -> Option<Vec<RefundItem>> {
        self.refund_id?;
        let mut items = match self.items {
            Items::Order(lines) => lines.iter().map(rest).collect(),
            Items::Refund(items) => items.to_vec(),
        };
        items.retain(|item| !item.is_empty());
        Some(items)
    }

    /// The hour in which the order was placed.
    pub fn hour(&self) -> DateTime<Utc> {
        let second = self.ordered_at.timestamp();
        DateTime::from_timestamp(second - second.rem_euclid(3600), 0).unwrap_or(self.ordered_at)
    }
}

impl Effect {
    /// The effect of a change to a status.
    const fn of_status(status: OrderStatus) -> Option<Self> {
        match status {
            OrderStatus::Cancelled => Some(Self::Cancelled),
            OrderStatus::Refunded => Some(Self::Refunded { whole: true }),
            OrderStatus::Created
            | OrderStatus::Paid
            | OrderStatus::Shipped
            | OrderStatus::Delivered => None,
        }
    }
}

/// The effects of events on sales.
pub fn sales_of(events: &[Event]) -> Vec<Sale<'_>> {
    events.iter().filter_map(Sale::of).collect()
}

impl<'a> Sale<'a> {
    fn of(event: &'a Event) -> Option<Self> {
        let change = OrderChange::of(event)?;
        let effect = change.effect?;
        let lines = match change.items {
            Items::Order(lines) => lines.iter().map(|line| SalesLine::of(line, effect)).collect(),
            Items::Refund(items) => items.iter().map(SalesLine::refunded).collect(),
        };
        Some(Self { change, effect, lines })
    }
}

impl<'a> SalesLine<'a> {
    fn of(line: &'a OrderLine, effect: Effect) -> Self {
        let (quantity, amount, stock_moved) = match effect {
            Effect::Placed => (line.quantity, line.amount(), line.stock_taken()),
            Effect::Cancelled => (line.quantity, line.amount(), line.stock_returned()),
            Effect::Refunded { .. } => (quantity_left(line), amount_left(line), 0),
        };
        let (product_id, category) = (line.product_id, line.category.as_str());
        Self { product_id, category, quantity, amount: amount.unwrap_or_default(), stock_moved }
    }

    fn refunded(item: &'a RefundItem) -> Self {
        Self {
            product_id: item.product_id,
            category: &item.category,
            quantity: item.quantity,
            amount: item.amount,
            stock_moved: item.stock_returned,
        }
    }
}

/// What a status change to REFUNDED refunds of a line: all that was left. It returns nothing to
/// stock.
fn rest(line: &OrderLine) -> RefundItem {
    RefundItem {
        product_id: line.product_id,
        product_name: line.product_name.clone(),
        category: line.category.clone(),
        quantity: quantity_left(line),
        amount: amount_left(line).unwrap_or_default(),
        stock_returned: 0,
    }
}

fn quantity_left(line: &OrderLine) -> i32 {
    line.quantity - line.refunded_quantity.unwrap_or_default()
}

fn amount_left(line: &OrderLine) -> Option<Money> {
    line.amount()?.checked_sub(line.refunded_amount.unwrap_or_default())
}

/// What is left of an order that becomes REFUNDED.
fn rest_of_order(order: &OrderStatusUpdated) -> Money {
    if order.new_status != OrderStatus::Refunded {
        return Money::ZERO;
    }
    let left = order.items.iter().filter_map(amount_left);
    left.fold(Money::ZERO, |sum, amount| sum.checked_add(amount).unwrap_or(sum))
}
