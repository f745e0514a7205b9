//! The status of an order and its transitions.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;

/// Current status of an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "UPPERCASE")]
#[derive(ToSchema)]
#[schema(examples("PAID"))]
pub enum OrderStatus {
    /// Placed.
    #[default]
    Created = 1,
    /// Paid.
    Paid = 2,
    /// Sent to the customer.
    Shipped = 3,
    /// Received by the customer.
    Delivered = 4,
    /// Cancelled before it was shipped. Its units are back in stock.
    Cancelled = 5,
    /// Refunded whole.
    Refunded = 6,
}

impl OrderStatus {
    /// Every status.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The text in JSON and in the databases.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads a status.
    ///
    /// # Errors
    /// What it must be.
    pub fn read(text: &str) -> Result<Self, Cow<'static, str>> {
        text.parse().map_err(|_| {
            let all: Vec<&str> = Self::ALL.iter().map(|status| status.as_str()).collect();
            format!("must be one of {}", all.join(", ")).into()
        })
    }

    /// The aggregate version of an event with this new status that has no version. It rises
    /// along the lifecycle. Views store it, so these numbers must never change.
    pub(crate) const fn default_version(self) -> i64 {
        self as i64
    }

    /// The statuses that may follow. CREATED to SHIPPED is allowed for clients whose payments
    /// are recorded elsewhere.
    pub const fn successors(self) -> &'static [Self] {
        match self {
            Self::Created => &[Self::Paid, Self::Shipped, Self::Cancelled],
            Self::Paid => &[Self::Shipped, Self::Cancelled, Self::Refunded],
            Self::Shipped => &[Self::Delivered, Self::Refunded],
            Self::Delivered => &[Self::Refunded],
            Self::Cancelled | Self::Refunded => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_the_same_text_in_json_and_in_the_databases() {
        for status in OrderStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
            assert_eq!(serde_json::to_string(status).unwrap(), format!("\"{status}\""));
        }
    }

    #[test]
    fn an_order_never_returns_to_a_status() {
        fn walk(status: OrderStatus, seen: &mut Vec<OrderStatus>) {
            assert!(!seen.contains(&status), "{status} again");
            seen.push(status);
            for next in status.successors() {
                walk(*next, seen);
            }
            seen.pop();
        }
        walk(OrderStatus::Created, &mut Vec::new());
    }
}
