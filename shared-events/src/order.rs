//! What happens to orders.

use crate::limits::{
    MAX_CATEGORY_CHARS, MAX_NAME_CHARS, MAX_ORDER_LINES, MAX_ORDER_TOTAL, is_name,
};
use crate::{DecodeError, Money};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where an order stands in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum OrderStatus {
    /// Placed.
    #[default]
    Created,
}

impl OrderStatus {
    /// The text in JSON and in the databases.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
        }
    }
}

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One line of an order, as ordered: later changes of the product do not
/// reach it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderLine {
    /// The product.
    pub product_id: i64,
    /// Its name then.
    pub product_name: String,
    /// Its category then.
    pub category: String,
    /// Pieces.
    pub quantity: i32,
    /// Price of one piece.
    pub price: Money,
    /// Pieces taken from the stock: the quantity, or zero of a product whose
    /// stock was not tracked then. Absent means the quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stock_taken: Option<i32>,
}

impl OrderLine {
    /// Price of the line; none beyond what money can be.
    pub fn amount(&self) -> Option<Money> {
        self.price.checked_times(self.quantity)
    }

    /// Pieces taken from the stock.
    pub fn stock_taken(&self) -> i32 {
        self.stock_taken.unwrap_or(self.quantity)
    }
}

/// Sum of the lines; none beyond [`MAX_ORDER_TOTAL`].
pub fn order_total(items: &[OrderLine]) -> Option<Money> {
    let sum = items.iter().try_fold(Money::ZERO, |sum, line| sum.checked_add(line.amount()?))?;
    (sum <= MAX_ORDER_TOTAL).then_some(sum)
}

/// Payload of `OrderCreated`. The event's timestamp is the order's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderCreated {
    /// The order.
    pub order_id: i64,
    /// Who ordered.
    pub customer_id: i64,
    /// Always [`OrderStatus::Created`], which is also meant if it is absent.
    #[serde(default)]
    pub status: OrderStatus,
    /// The lines, at least one.
    pub items: Vec<OrderLine>,
    /// Sum of the lines.
    pub total: Money,
}

impl OrderCreated {
    /// Checks what types do not say.
    pub(crate) fn check(self) -> Result<Self, DecodeError> {
        if self.order_id < 1 || self.customer_id < 1 {
            Err(DecodeError::Member("orderId and customerId must be at least 1"))
        } else if self.items.is_empty() || self.items.len() > MAX_ORDER_LINES {
            Err(DecodeError::Member("items is empty or has too many lines"))
        } else if !self.items.iter().all(line_is_sound) {
            Err(DecodeError::Member("a line of items has a member out of range"))
        } else if order_total(&self.items) != Some(self.total) {
            // Otherwise customers' spend and products' revenue would differ.
            Err(DecodeError::Member("total is not the sum of quantity × price, or is too large"))
        } else {
            Ok(self)
        }
    }
}

fn line_is_sound(line: &OrderLine) -> bool {
    line.product_id >= 1
        && line.quantity >= 1
        && line.price.is_price()
        && (0..=line.quantity).contains(&line.stock_taken())
        && is_name(&line.product_name, MAX_NAME_CHARS)
        && is_name(&line.category, MAX_CATEGORY_CHARS)
}
