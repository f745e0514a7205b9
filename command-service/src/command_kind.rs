//! The commands that there are.

use crate::answer::Answer;
use crate::metrics::{COMMANDS_ACCEPTED, COMMANDS_FAILED, COMMANDS_REFUSED};
use service_runtime::problem::Problem;

/// What a command does, as metrics and traces call it.
#[derive(Clone, Copy, Debug)]
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
    /// The names of all.
    pub const NAMES: [&str; 8] = [
        Self::CreateProduct.name(),
        Self::UpdateProduct.name(),
        Self::ChangePrice.name(),
        Self::PlaceOrder.name(),
        Self::ChangeOrderStatus.name(),
        Self::CreateUser.name(),
        Self::UpdateUser.name(),
        Self::OpenAccount.name(),
    ];

    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreateProduct => "create_product",
            Self::UpdateProduct => "update_product",
            Self::ChangePrice => "change_price",
            Self::PlaceOrder => "place_order",
            Self::ChangeOrderStatus => "change_order_status",
            Self::CreateUser => "create_user",
            Self::UpdateUser => "update_user",
            Self::OpenAccount => "open_account",
        }
    }

    /// Counts what became of one.
    pub fn count(self, answer: &Result<Answer, Problem>) {
        let counter = match answer {
            Ok(_) => &COMMANDS_ACCEPTED,
            Err(problem) if problem.status().is_client_error() => &COMMANDS_REFUSED,
            Err(_) => &COMMANDS_FAILED,
        };
        counter.add_to(self.name(), 1);
    }
}
