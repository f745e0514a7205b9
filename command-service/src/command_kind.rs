//! The kinds of commands.

use shared_events::Topic;
use strum::{IntoStaticStr, VariantArray};

/// The kind of a command. Metrics and traces use its name in snake case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum CommandKind {
    CreateProduct,
    UpdateProduct,
    ChangePrice,
    PlaceOrder,
    ChangeOrderStatus,
    RefundOrder,
    CreateUser,
    UpdateUser,
    OpenAccount,
}

impl CommandKind {
    /// The topic of the events of this command.
    pub const fn topic(self) -> Topic {
        match self {
            Self::CreateProduct | Self::UpdateProduct | Self::ChangePrice => Topic::Products,
            Self::PlaceOrder | Self::ChangeOrderStatus | Self::RefundOrder => Topic::Orders,
            Self::CreateUser | Self::UpdateUser | Self::OpenAccount => Topic::Users,
        }
    }
}
