//! An event: envelope and payload.

use crate::{Envelope, OrderCreated, PriceChanged, ProductState, Topic};
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

/// Every kind of event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "eventType")]
pub enum Payload {
    /// A product came into the catalogue.
    ProductCreated(ProductState),
    /// A product's details or stock changed.
    ProductUpdated(ProductState),
    /// A product's price changed, by a command that says nothing else.
    PriceChanged(PriceChanged),
    /// An order was placed.
    OrderCreated(OrderCreated),
}

impl Payload {
    /// The name of the kind, the member `eventType`.
    pub const fn event_type(&self) -> &'static str {
        match self {
            Self::ProductCreated(_) => "ProductCreated",
            Self::ProductUpdated(_) => "ProductUpdated",
            Self::PriceChanged(_) => "PriceChanged",
            Self::OrderCreated(_) => "OrderCreated",
        }
    }

    /// The topic on which events of the kind are published.
    pub const fn topic(&self) -> Topic {
        match self {
            Self::ProductCreated(_) | Self::ProductUpdated(_) | Self::PriceChanged(_) => {
                Topic::Products
            }
            Self::OrderCreated(_) => Topic::Orders,
        }
    }

    /// The state of the product, of events about one.
    pub const fn product(&self) -> Option<&ProductState> {
        match self {
            Self::ProductCreated(product) | Self::ProductUpdated(product) => Some(product),
            Self::PriceChanged(change) => Some(&change.product),
            Self::OrderCreated(_) => None,
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
}
