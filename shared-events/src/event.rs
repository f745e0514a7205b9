//! An event: envelope and payload.

use crate::properties::Properties;
use crate::{
    AccountCreated, DecodeError, Envelope, OrderCreated, OrderRefunded, OrderStatusUpdated,
    PriceChanged, ProductState, Topic, UserState,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use strum::{EnumDiscriminants, EnumString, IntoStaticStr, VariantArray};
use trace_context::TraceParent;
use uuid::Uuid;

/// An event as it is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// The properties of every event.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The properties of this type of event, and `eventType`.
    #[serde(flatten)]
    pub payload: Payload,
}

/// The properties of an event that depend on its type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, EnumDiscriminants)]
#[serde(tag = "eventType")]
#[strum_discriminants(
    name(EventType),
    doc = "The type of an event: the property `eventType`, and the second part of the routing key.",
    derive(PartialOrd, Ord, EnumString, IntoStaticStr, VariantArray)
)]
pub enum Payload {
    /// A product was created.
    ProductCreated(ProductState),
    /// The details or the stock of a product changed.
    ProductUpdated(ProductState),
    /// The price of a product changed, by a command that changes nothing else.
    PriceChanged(PriceChanged),
    /// An order was placed.
    OrderCreated(OrderCreated),
    /// The status of an order changed.
    OrderStatusUpdated(OrderStatusUpdated),
    /// A part of an order was refunded, or all that was left of it.
    OrderRefunded(OrderRefunded),
    /// A user was created.
    UserCreated(UserState),
    /// The name or e-mail address of a user changed.
    UserUpdated(UserState),
    /// A user opened an account. Its address is the user's from then on.
    AccountCreated(AccountCreated),
}

impl EventType {
    /// Every event type.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The event type of that name, if this schema version is supported.
    pub(crate) fn of_version(name: &str, version: u32) -> Result<Self, DecodeError> {
        let event_type = name.parse().map_err(|_| DecodeError::UnknownType(name.to_owned()))?;
        if version == 1 {
            Ok(event_type)
        } else {
            Err(DecodeError::UnknownVersion(name.to_owned(), version))
        }
    }

    /// The name in JSON and in routing keys.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The topic on which events of this type are published.
    pub const fn topic(self) -> Topic {
        match self {
            Self::ProductCreated | Self::ProductUpdated | Self::PriceChanged => Topic::Products,
            Self::OrderCreated | Self::OrderStatusUpdated | Self::OrderRefunded => Topic::Orders,
            Self::UserCreated | Self::UserUpdated | Self::AccountCreated => Topic::Users,
        }
    }

    /// Whether an event of this type creates its product, order or user.
    pub const fn creates(self) -> bool {
        matches!(self, Self::ProductCreated | Self::OrderCreated | Self::UserCreated)
    }
}

impl Payload {
    /// Reads the payload of an event of this type.
    pub(crate) fn read(
        properties: &Properties<'_>,
        event_type: EventType,
    ) -> Result<Self, DecodeError> {
        let product = || ProductState::read(properties, event_type);
        let user = || UserState::read(properties);
        Ok(match event_type {
            EventType::ProductCreated => Self::ProductCreated(product()?),
            EventType::ProductUpdated => Self::ProductUpdated(product()?),
            EventType::PriceChanged => Self::PriceChanged(PriceChanged::read(properties)?),
            EventType::OrderCreated => Self::OrderCreated(OrderCreated::read(properties)?),
            EventType::OrderStatusUpdated => {
                Self::OrderStatusUpdated(OrderStatusUpdated::read(properties)?)
            }
            EventType::OrderRefunded => Self::OrderRefunded(OrderRefunded::read(properties)?),
            EventType::UserCreated => Self::UserCreated(user()?),
            EventType::UserUpdated => Self::UserUpdated(user()?),
            EventType::AccountCreated => Self::AccountCreated(AccountCreated::read(properties)?),
        })
    }

    /// The event type.
    pub fn event_type(&self) -> EventType {
        self.into()
    }

    /// The id of the product, order or user of the event; with the topic it identifies the
    /// aggregate.
    pub const fn aggregate_id(&self) -> i64 {
        match self {
            Self::ProductCreated(product) | Self::ProductUpdated(product) => product.product_id,
            Self::PriceChanged(change) => change.product.product_id,
            Self::OrderCreated(order) => order.order_id,
            Self::OrderStatusUpdated(update) => update.order_id,
            Self::OrderRefunded(refund) => refund.order_id,
            Self::UserCreated(user) | Self::UserUpdated(user) => user.user_id,
            Self::AccountCreated(account) => account.user_id,
        }
    }

    /// The aggregate version of an external event that has none: 1 for a creation; an order
    /// never returns to a status.
    pub(crate) const fn default_version(&self) -> i64 {
        match self {
            Self::ProductCreated(_) | Self::OrderCreated(_) | Self::UserCreated(_) => 1,
            Self::OrderStatusUpdated(update) => update.new_status.default_version(),
            Self::OrderRefunded(refund) => refund.status.default_version(),
            Self::ProductUpdated(_)
            | Self::PriceChanged(_)
            | Self::UserUpdated(_)
            | Self::AccountCreated(_) => 2,
        }
    }

    /// The time of the order, if it is not that of the event.
    pub(crate) const fn ordered_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::OrderStatusUpdated(update) => Some(update.ordered_at),
            Self::OrderRefunded(refund) => Some(refund.ordered_at),
            Self::ProductCreated(_)
            | Self::ProductUpdated(_)
            | Self::PriceChanged(_)
            | Self::OrderCreated(_)
            | Self::UserCreated(_)
            | Self::UserUpdated(_)
            | Self::AccountCreated(_) => None,
        }
    }

    /// The topic on which the event is published.
    pub fn topic(&self) -> Topic {
        self.event_type().topic()
    }

    /// The state of the product, if the event has one.
    pub const fn product(&self) -> Option<&ProductState> {
        match self {
            Self::ProductCreated(product) | Self::ProductUpdated(product) => Some(product),
            Self::PriceChanged(change) => Some(&change.product),
            _ => None,
        }
    }

    /// The state of the user, if the event has one.
    pub const fn user(&self) -> Option<&UserState> {
        match self {
            Self::UserCreated(user) | Self::UserUpdated(user) => Some(user),
            _ => None,
        }
    }
}

impl Event {
    /// A new event.
    pub fn new(
        aggregate_version: i64,
        timestamp: DateTime<Utc>,
        trace: TraceParent,
        payload: Payload,
    ) -> Self {
        let envelope = Envelope {
            event_id: Uuid::now_v7(),
            version: 1,
            aggregate_version,
            timestamp,
            traceparent: Some(trace),
        };
        Self { envelope, payload }
    }

    /// The event as JSON.
    ///
    /// # Errors
    /// None in practice: every property has a JSON form.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// The content of the event, without trace and JSON formatting: the same text for every
    /// copy.
    pub fn content(&self) -> String {
        let mut event = self.clone();
        event.envelope.traceparent = None;
        event.to_json().unwrap_or_default()
    }
}
