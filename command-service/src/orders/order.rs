//! The state of an order.

use chrono::{DateTime, Utc};
use serde::Serialize;
use service_runtime::openapi::Id;
use shared_events::{Money, OrderHeader, OrderLine, OrderStatus};
use utoipa::ToSchema;

/// The current state of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// Its id.
    #[schema(value_type = Id)]
    pub id: i64,
    /// The properties that do not change.
    #[serde(flatten)]
    pub header: OrderHeader,
    /// Where it stands in its life.
    pub status: OrderStatus,
    /// Its lines, with names, categories and prices as ordered.
    pub items: Vec<OrderLine>,
    /// Sum of the lines.
    pub total: Money,
    /// When it was placed.
    #[schema(examples("2026-11-21T11:44:31.230906Z"))]
    pub created_at: DateTime<Utc>,
}
