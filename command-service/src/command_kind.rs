//! The commands that there are.

use crate::answer::Answer;
use crate::metrics::{COMMANDS_ACCEPTED, COMMANDS_FAILED, COMMANDS_REFUSED};
use service_runtime::problem::Problem;
use shared_events::Topic;
use strum::{IntoStaticStr, VariantArray};

/// What a command does, as metrics and traces call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum CommandKind {
    CreateProduct,
    UpdateProduct,
    ChangePrice,
    PlaceOrder,
    ChangeOrderStatus,
    CreateUser,
    UpdateUser,
    OpenAccount,
}

impl CommandKind {
    /// The topic of its events.
    pub const fn topic(self) -> Topic {
        match self {
            Self::CreateProduct | Self::UpdateProduct | Self::ChangePrice => Topic::Products,
            Self::PlaceOrder | Self::ChangeOrderStatus => Topic::Orders,
            Self::CreateUser | Self::UpdateUser | Self::OpenAccount => Topic::Users,
        }
    }

    /// Counts what became of one.
    pub fn count(self, answer: &Result<Answer, Problem>) {
        let counter = match answer {
            Ok(_) => &COMMANDS_ACCEPTED,
            Err(problem) if problem.status().is_client_error() => &COMMANDS_REFUSED,
            Err(_) => &COMMANDS_FAILED,
        };
        counter.add_to(self, 1);
    }
}
