//! What an event says about an order.

use chrono::{DateTime, Utc};
use shared_events::{Event, Money, OrderHeader, OrderLine, OrderStatus, Payload};

/// An order as an event describes it.
#[derive(Clone, Copy, Debug)]
pub struct OrderChange<'a> {
    pub order_id: i64,
    pub header: &'a OrderHeader,
    /// None if the event places the order.
    pub old_status: Option<OrderStatus>,
    pub new_status: OrderStatus,
    pub ordered_at: DateTime<Utc>,
    /// Time of the event.
    pub changed_at: DateTime<Utc>,
    pub items: &'a [OrderLine],
    pub total: Money,
}

/// The effect of a change on sales. An order is placed once, and cancelled or refunded at
/// most once, because both statuses are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Placed,
    Cancelled,
    Refunded,
}

impl<'a> OrderChange<'a> {
    /// The change that an event describes, if the event is about an order.
    pub fn of(event: &'a Event) -> Option<Self> {
        let changed_at = event.envelope.timestamp;
        match &event.payload {
            Payload::OrderCreated(order) => Some(Self {
                order_id: order.order_id,
                header: &order.header,
                old_status: None,
                new_status: order.status,
                ordered_at: changed_at,
                changed_at,
                items: &order.items,
                total: order.total,
            }),
            Payload::OrderStatusUpdated(order) => Some(Self {
                order_id: order.order_id,
                header: &order.header,
                old_status: Some(order.old_status),
                new_status: order.new_status,
                ordered_at: order.ordered_at,
                changed_at,
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

    /// The effect on sales; none of other changes.
    pub fn effect(&self) -> Option<Effect> {
        match (self.old_status, self.new_status) {
            (None, _) => Some(Effect::Placed),
            (Some(old), new) if old == new => None,
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

    /// The hour in which the order was placed.
    pub fn hour(&self) -> DateTime<Utc> {
        let second = self.ordered_at.timestamp();
        DateTime::from_timestamp(second - second.rem_euclid(3600), 0).unwrap_or(self.ordered_at)
    }
}
