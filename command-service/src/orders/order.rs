//! An order as it stands.

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared_events::{Money, OrderLine, OrderStatus};

/// An order as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    pub id: i64,
    pub customer_id: i64,
    pub status: OrderStatus,
    pub items: Vec<OrderLine>,
    pub total: Money,
    pub created_at: DateTime<Utc>,
}
