//! The kinds of events.

use crate::Topic;

/// A kind of event: the member `eventType`, and the second half of the routing
/// key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventType {
    /// A product came into the catalogue.
    ProductCreated,
    /// A product's details or stock changed.
    ProductUpdated,
    /// A product's price changed, by a command that says nothing else.
    PriceChanged,
    /// An order was placed.
    OrderCreated,
    /// An order came to another status.
    OrderStatusUpdated,
    /// A user signed up.
    UserCreated,
    /// A user's name or e-mail changed.
    UserUpdated,
    /// A user opened an account, whose address is the user's from then on.
    AccountCreated,
}

impl EventType {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::ProductCreated,
        Self::ProductUpdated,
        Self::PriceChanged,
        Self::OrderCreated,
        Self::OrderStatusUpdated,
        Self::UserCreated,
        Self::UserUpdated,
        Self::AccountCreated,
    ];

    /// The name in JSON and in routing keys.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProductCreated => "ProductCreated",
            Self::ProductUpdated => "ProductUpdated",
            Self::PriceChanged => "PriceChanged",
            Self::OrderCreated => "OrderCreated",
            Self::OrderStatusUpdated => "OrderStatusUpdated",
            Self::UserCreated => "UserCreated",
            Self::UserUpdated => "UserUpdated",
            Self::AccountCreated => "AccountCreated",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether an event of the kind creates the product, order or user that it is about.
    pub const fn creates(self) -> bool {
        matches!(self, Self::ProductCreated | Self::OrderCreated | Self::UserCreated)
    }

    /// The topic on which events of the kind are published.
    pub const fn topic(self) -> Topic {
        match self {
            Self::ProductCreated | Self::ProductUpdated | Self::PriceChanged => Topic::Products,
            Self::OrderCreated | Self::OrderStatusUpdated => Topic::Orders,
            Self::UserCreated | Self::UserUpdated | Self::AccountCreated => Topic::Users,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_again() {
        for kind in EventType::ALL {
            assert_eq!(EventType::from_name(kind.name()), Some(kind));
        }
        assert_eq!(EventType::from_name("OrderEaten"), None);
    }
}
