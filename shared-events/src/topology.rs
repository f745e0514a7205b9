//! Names of the exchange, the queues and the routing keys.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;

/// The durable topic exchange to which the publisher sends every message.
pub const EXCHANGE: &str = "ecommerce.events";

/// The AMQP application id of our publisher.
pub const PUBLISHER: &str = "command-service";

/// A stream of events. Its name is that of a durable queue, and the first part of routing keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(examples("order-events"))]
#[derive(Serialize, Deserialize, Display, EnumString, IntoStaticStr, VariantArray)]
pub enum Topic {
    /// Events about products.
    #[serde(rename = "product-events")]
    #[strum(serialize = "product-events")]
    Products,
    /// Events about orders.
    #[serde(rename = "order-events")]
    #[strum(serialize = "order-events")]
    Orders,
    /// Events about users and their accounts.
    #[serde(rename = "user-events")]
    #[strum(serialize = "user-events")]
    Users,
}

impl Topic {
    /// Every topic. Their queues exist even without a consumer.
    pub const ALL: [Self; Self::VARIANTS.len()] = *Self::VARIANTS.first_chunk().unwrap();

    /// The name, which is also that of the queue.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The binding between the exchange and the queue of this topic.
    pub fn binding_key(self) -> String {
        format!("{}.#", self.name())
    }
}

/// The routing key of a message of this type on this topic.
pub fn routing_key(topic: &str, message_type: &str) -> String {
    format!("{topic}.{message_type}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_has_the_same_name_in_json() {
        for topic in Topic::ALL {
            assert_eq!(topic.name().parse(), Ok(topic));
            assert_eq!(serde_json::to_string(&topic).unwrap(), format!("{:?}", topic.name()));
        }
    }
}
