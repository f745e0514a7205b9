//! What the query side answers, as far as it is compared.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use shared_events::Money;

/// A user, single or in a list.
#[derive(Debug, Deserialize)]
pub struct UserAnswer {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub address: Value,
}

/// A product, single or in a list.
#[derive(Debug, Deserialize)]
pub struct ProductAnswer {
    pub id: i64,
    pub name: String,
    pub category: String,
    pub price: Money,
    pub stock: Option<i64>,
}

/// An order in a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderAnswer {
    pub id: i64,
    pub customer_id: i64,
    pub total: Money,
    pub status: String,
    pub created_at: DateTime<Utc>,
}

/// The lines of a single order, which is otherwise an [`OrderAnswer`]. (Money
/// cannot be read through a flattened struct.)
#[derive(Debug, Deserialize)]
pub struct OrderItemsAnswer {
    pub items: Vec<ItemAnswer>,
}

/// A line of an order.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemAnswer {
    pub product_id: i64,
    pub product_name: String,
    pub category: String,
    pub quantity: i32,
    pub price: Money,
    pub stock_taken: i32,
}

/// What a product sold.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SalesAnswer {
    pub product_id: i64,
    pub total_quantity_sold: i64,
    pub total_revenue: Money,
    pub total_sales: Money,
    pub order_count: i64,
}

/// What a category sold.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CategoryAnswer {
    pub category: String,
    pub total_revenue: Money,
    pub total_orders: i64,
}

/// What a customer spent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LifetimeAnswer {
    pub customer_id: i64,
    pub total_spent: Money,
    pub order_count: i64,
    pub last_order_date: Option<DateTime<Utc>>,
}

/// What a product sold in an hour.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WindowAnswer {
    pub window_start: DateTime<Utc>,
    pub product_id: i64,
    pub total_sales: Money,
    pub total_quantity: i64,
    pub total_orders: i64,
}
