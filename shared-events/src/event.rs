//! An event: envelope and payload.

use crate::{
    AccountCreated, Envelope, EventType, OrderCreated, OrderStatusUpdated, PriceChanged,
    ProductState, Topic, UserState,
};
use serde::Serialize;

/// Something that happened, as published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// What every event says.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// What this one says. It brings the member `eventType`.
    #[serde(flatten)]
    pub payload: Payload,
}

/// What an event says, by its kind; see [`EventType`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "eventType")]
#[allow(missing_docs, reason = "EventType explains the kinds")]
pub enum Payload {
    ProductCreated(ProductState),
    ProductUpdated(ProductState),
    PriceChanged(PriceChanged),
    OrderCreated(OrderCreated),
    OrderStatusUpdated(OrderStatusUpdated),
    UserCreated(UserState),
    UserUpdated(UserState),
    AccountCreated(AccountCreated),
}

impl Payload {
    /// The kind.
    pub const fn event_type(&self) -> EventType {
        match self {
            Self::ProductCreated(_) => EventType::ProductCreated,
            Self::ProductUpdated(_) => EventType::ProductUpdated,
            Self::PriceChanged(_) => EventType::PriceChanged,
            Self::OrderCreated(_) => EventType::OrderCreated,
            Self::OrderStatusUpdated(_) => EventType::OrderStatusUpdated,
            Self::UserCreated(_) => EventType::UserCreated,
            Self::UserUpdated(_) => EventType::UserUpdated,
            Self::AccountCreated(_) => EventType::AccountCreated,
        }
    }

    /// The id of the order, product or user that the event is about; with the topic it
    /// names the aggregate.
    pub const fn aggregate_id(&self) -> i64 {
        match self {
            Self::ProductCreated(product) | Self::ProductUpdated(product) => product.product_id,
            Self::PriceChanged(change) => change.product.product_id,
            Self::OrderCreated(order) => order.order_id,
            Self::OrderStatusUpdated(update) => update.order_id,
            Self::UserCreated(user) | Self::UserUpdated(user) => user.user_id,
            Self::AccountCreated(account) => account.user_id,
        }
    }

    /// The topic on which the event is published.
    pub const fn topic(&self) -> Topic {
        self.event_type().topic()
    }

    /// The state of the product, of events about one.
    pub const fn product(&self) -> Option<&ProductState> {
        match self {
            Self::ProductCreated(product) | Self::ProductUpdated(product) => Some(product),
            Self::PriceChanged(change) => Some(&change.product),
            Self::OrderCreated(_)
            | Self::OrderStatusUpdated(_)
            | Self::UserCreated(_)
            | Self::UserUpdated(_)
            | Self::AccountCreated(_) => None,
        }
    }

    /// The state of the user, of events that tell it.
    pub const fn user(&self) -> Option<&UserState> {
        match self {
            Self::UserCreated(user) | Self::UserUpdated(user) => Some(user),
            Self::ProductCreated(_)
            | Self::ProductUpdated(_)
            | Self::PriceChanged(_)
            | Self::OrderCreated(_)
            | Self::OrderStatusUpdated(_)
            | Self::AccountCreated(_) => None,
        }
    }
}

impl Event {
    /// The event's JSON.
    ///
    /// # Errors
    /// None in practice: every member has a JSON form.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// The content of the event as text: the same for every copy, whatever its trace and
    /// its JSON formatting.
    pub fn content(&self) -> String {
        let mut event = self.clone();
        event.envelope.traceparent = None;
        event.to_json().unwrap_or_default()
    }
}
