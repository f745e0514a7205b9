//! An order.

use chrono::{DateTime, Utc};
use serde::Serialize;
use service_runtime::openapi::Id;
use shared_events::{Money, OrderHeader, OrderLine, OrderStatus};
use utoipa::ToSchema;
use uuid::Uuid;

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The id of the order.
    #[schema(value_type = Id)]
    pub id: i64,
    /// The properties that do not change.
    #[serde(flatten)]
    pub header: OrderHeader,
    /// Current status.
    pub status: OrderStatus,
    /// The order lines, with names, categories and prices as ordered.
    pub items: Vec<OrderLine>,
    /// Sum of the lines.
    pub total: Money,
    /// When the order was placed.
    #[schema(examples("2026-11-21T11:44:31.230906Z"))]
    pub created_at: DateTime<Utc>,
}

/// A placed order, with the id of its event.
#[derive(Clone, Debug)]
pub struct Placed {
    pub order: Order,
    pub event_id: Uuid,
}
