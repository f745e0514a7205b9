//! Names of the exchange, the queues and the keys that join them.

use serde::{Deserialize, Serialize};
use strum::VariantArray;
use utoipa::ToSchema;

/// The durable topic exchange through which the publisher sends everything.
pub const EXCHANGE: &str = "ecommerce.events";

/// The AMQP application id by which our publisher's messages are known.
pub const PUBLISHER: &str = "command-service";

/// A stream of events: the name of its durable queue and the first half of its
/// routing keys.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
    VariantArray,
)]
pub enum Topic {
    /// What happened to products.
    #[serde(rename = "product-events")]
    Products,
    /// What happened to orders.
    #[serde(rename = "order-events")]
    Orders,
    /// What happened to users and their accounts.
    #[serde(rename = "user-events")]
    Users,
}

impl Topic {
    /// Every topic. Their queues exist whether or not anybody consumes them.
    pub const ALL: [Self; 3] = [Self::Products, Self::Orders, Self::Users];

    /// The name, which is also that of the queue.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Products => "product-events",
            Self::Orders => "order-events",
            Self::Users => "user-events",
        }
    }

    /// The topic of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }

    /// The binding between the exchange and the queue of this topic.
    pub fn binding_key(self) -> String {
        format!("{}.#", self.name())
    }
}

impl From<Topic> for &'static str {
    fn from(topic: Topic) -> Self {
        topic.name()
    }
}

impl std::fmt::Display for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The key under which a message of that type goes to the queue of `topic`.
pub fn routing_key(topic: &str, message_type: &str) -> String {
    format!("{topic}.{message_type}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_again_and_are_those_of_the_json() {
        for topic in Topic::ALL {
            assert_eq!(Topic::from_name(topic.name()), Some(topic));
            assert_eq!(serde_json::to_string(&topic).unwrap(), format!("{:?}", topic.name()));
        }
    }
}
