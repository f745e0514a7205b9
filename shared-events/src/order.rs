//! What happens to orders.

use crate::decode::YEARS;
use crate::envelope::to_the_microsecond;
use crate::limits::{MAX_CATEGORY_CHARS, MAX_NAME_CHARS, MAX_ORDER_LINES, MAX_ORDER_TOTAL};
use crate::properties::check_name;
use crate::{DecodeError, Money};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// Where an order stands in its life.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "UPPERCASE")]
#[schema(examples("CREATED"))]
pub enum OrderStatus {
    /// Placed.
    #[default]
    Created,
    /// Paid.
    Paid,
    /// On its way.
    Shipped,
    /// With the customer.
    Delivered,
    /// Called off before it was shipped. What it took from the stock is back.
    Cancelled,
    /// Paid back. Nothing is put back into the stock.
    Refunded,
}

impl OrderStatus {
    /// Every status.
    pub const ALL: [Self; 6] = [
        Self::Created,
        Self::Paid,
        Self::Shipped,
        Self::Delivered,
        Self::Cancelled,
        Self::Refunded,
    ];

    /// The text in JSON and in the databases.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Paid => "PAID",
            Self::Shipped => "SHIPPED",
            Self::Delivered => "DELIVERED",
            Self::Cancelled => "CANCELLED",
            Self::Refunded => "REFUNDED",
        }
    }

    /// The status of that text.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// The aggregate version of an event with this new status, if the event has none: it
    /// rises along the lifecycle. Views store it, so these numbers must never change.
    pub(crate) const fn likely_version(self) -> i64 {
        match self {
            Self::Created => 1,
            Self::Paid => 2,
            Self::Shipped => 3,
            Self::Delivered => 4,
            Self::Cancelled => 5,
            Self::Refunded => 6,
        }
    }

    /// The life of an order: which statuses may follow. Some clients are told
    /// of payments elsewhere and go straight from CREATED to SHIPPED.
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

impl fmt::Display for OrderStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One line of an order, as ordered: later changes of the product do not
/// reach it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderLine {
    /// The product.
    #[schema(minimum = 1, examples(1))]
    pub product_id: i64,
    /// Its name then.
    #[schema(examples("Assam tea"))]
    pub product_name: String,
    /// Its category then.
    #[schema(examples("Drinks"))]
    pub category: String,
    /// Pieces.
    #[schema(minimum = 1, examples(2))]
    pub quantity: i32,
    /// Price of one piece.
    pub price: Money,
    /// Pieces taken from the stock: the quantity, or zero of a product whose
    /// stock was not tracked then. Absent means the quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, examples(2))]
    pub stock_taken: Option<i32>,
    /// Pieces put back into the stock, in the event that cancels the order:
    /// zero of a product whose stock was not tracked then. Absent means those
    /// that were taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, examples(2))]
    pub stock_returned: Option<i32>,
}

impl OrderLine {
    /// Whether name or category must come from the catalogue: only in external events,
    /// before they are applied.
    pub fn lacks_product(&self) -> bool {
        self.product_name.is_empty() || self.category.is_empty()
    }

    /// Price of the line; none beyond what money can be.
    pub fn amount(&self) -> Option<Money> {
        self.price.checked_times(self.quantity)
    }

    /// Pieces taken from the stock.
    pub fn stock_taken(&self) -> i32 {
        self.stock_taken.unwrap_or(self.quantity)
    }

    /// Pieces that a cancellation puts back into the stock.
    pub fn stock_returned(&self) -> i32 {
        self.stock_returned.unwrap_or_else(|| self.stock_taken())
    }
}

/// Sum of the lines; none beyond [`MAX_ORDER_TOTAL`].
pub fn order_total(items: &[OrderLine]) -> Option<Money> {
    let sum = items.iter().try_fold(Money::ZERO, |sum, line| sum.checked_add(line.amount()?))?;
    (sum <= MAX_ORDER_TOTAL).then_some(sum)
}

/// The properties of an order that do not change after it is placed. Both order events and the
/// order responses of both APIs contain it, so a new property of an order is added here.
///
/// A new field must be optional: `Option` with
/// `#[serde(default, skip_serializing_if = "Option::is_none")]`. An absent field means that
/// the event does not state it, because an older command service has written it; it never
/// means that the value was removed. So a view merges the field by `coalesce`, and events may
/// arrive in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(description = "The properties of an order that do not change after it is placed.")]
pub struct OrderHeader {
    /// The customer who ordered.
    #[schema(minimum = 1, examples(42))]
    pub customer_id: i64,
}

/// Payload of `OrderCreated`. The event's timestamp is the order's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderCreated {
    /// The order.
    pub order_id: i64,
    /// The header. [`Self::read`] reads it separately: serde reads numbers of flattened
    /// structs through binary floats.
    #[serde(flatten, skip_deserializing)]
    pub header: OrderHeader,
    /// Always [`OrderStatus::Created`], which is also meant if it is absent.
    #[serde(default)]
    pub status: OrderStatus,
    /// The lines, at least one.
    pub items: Vec<OrderLine>,
    /// Sum of the lines.
    pub total: Money,
}

/// Payload of `OrderStatusUpdated`. It repeats the order, so that nobody who
/// reads it needs to look back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderStatusUpdated {
    /// The order.
    pub order_id: i64,
    /// The header. [`Self::read`] reads it separately: serde reads numbers of flattened
    /// structs through binary floats.
    #[serde(flatten, skip_deserializing)]
    pub header: OrderHeader,
    /// Before the change.
    pub old_status: OrderStatus,
    /// After it.
    pub new_status: OrderStatus,
    /// When the order was placed.
    pub ordered_at: DateTime<Utc>,
    /// The lines, as in `OrderCreated`.
    pub items: Vec<OrderLine>,
    /// Sum of the lines.
    pub total: Money,
}

impl OrderCreated {
    /// Reads the payload of one of our own events.
    pub(crate) fn read(json: &[u8]) -> Result<Self, DecodeError> {
        let order = Self { header: serde_json::from_slice(json)?, ..serde_json::from_slice(json)? };
        check_names(&order.items)?;
        order.check()
    }

    /// Checks what types do not say.
    pub(crate) fn check(self) -> Result<Self, DecodeError> {
        if self.status != OrderStatus::Created {
            return Err(DecodeError::property("status", "must be CREATED in OrderCreated"));
        }
        check_order(self.order_id, self.header.customer_id, &self.items, self.total)?;
        Ok(self)
    }
}

impl OrderStatusUpdated {
    /// Reads the payload of one of our own events.
    pub(crate) fn read(json: &[u8]) -> Result<Self, DecodeError> {
        let update =
            Self { header: serde_json::from_slice(json)?, ..serde_json::from_slice(json)? };
        check_names(&update.items)?;
        update.check()
    }

    /// Checks what types do not say.
    pub(crate) fn check(mut self) -> Result<Self, DecodeError> {
        if !self.old_status.successors().contains(&self.new_status) {
            let (old, new) = (self.old_status, self.new_status);
            return Err(DecodeError::property("newStatus", format!("{new} may not follow {old}")));
        }
        check_order(self.order_id, self.header.customer_id, &self.items, self.total)?;
        self.ordered_at = to_the_microsecond(self.ordered_at)
            .ok_or_else(|| DecodeError::property("orderedAt", YEARS))?;
        Ok(self)
    }
}

fn check_order(
    order_id: i64,
    customer_id: i64,
    items: &[OrderLine],
    total: Money,
) -> Result<(), DecodeError> {
    for (name, id) in [("orderId", order_id), ("customerId", customer_id)] {
        if id < 1 {
            return Err(DecodeError::property(name, "must be at least 1"));
        }
    }
    if items.is_empty() || items.len() > MAX_ORDER_LINES {
        let problem = format!("must have 1 to {MAX_ORDER_LINES} lines");
        return Err(DecodeError::property("items", problem));
    }
    for (index, line) in items.iter().enumerate() {
        if let Some((name, problem)) = fault(line) {
            return Err(DecodeError::property(format!("items[{index}].{name}"), problem));
        }
    }
    // Otherwise customers' spend and products' revenue would differ.
    let Some(sum) = order_total(items) else {
        let problem = format!("sum of quantity × price must be at most {MAX_ORDER_TOTAL}");
        return Err(DecodeError::property("items", problem));
    };
    if sum != total {
        let problem = format!("must be the sum of quantity × price, {sum}, not {total}");
        return Err(DecodeError::property("total", problem));
    }
    Ok(())
}

/// Checks a line without its names; returns the wrong property and what it must be.
fn fault(line: &OrderLine) -> Option<(&'static str, &'static str)> {
    if line.product_id < 1 {
        Some(("productId", "must be at least 1"))
    } else if line.quantity < 1 {
        Some(("quantity", "must be at least 1"))
    } else if !line.price.is_price() {
        Some(("price", "must be from 0 to 999999999999.9999"))
    } else if !(0..=line.quantity).contains(&line.stock_taken()) {
        Some(("stockTaken", "must be from 0 to the quantity"))
    } else if !(0..=line.stock_taken()).contains(&line.stock_returned()) {
        Some(("stockReturned", "must be from 0 to stockTaken"))
    } else {
        None
    }
}

/// Checks name and category of lines.
fn check_names(items: &[OrderLine]) -> Result<(), DecodeError> {
    for (index, line) in items.iter().enumerate() {
        let named = |name| format!("items[{index}].{name}");
        check_name(&line.product_name, MAX_NAME_CHARS)
            .map_err(|problem| DecodeError::property(named("productName"), problem))?;
        check_name(&line.category, MAX_CATEGORY_CHARS)
            .map_err(|problem| DecodeError::property(named("category"), problem))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{MAX_EVENT_BYTES, MAX_PRICE};

    #[test]
    fn texts_are_found_again_and_are_those_of_the_json() {
        for status in OrderStatus::ALL {
            assert_eq!(OrderStatus::from_text(status.as_str()), Some(status));
            assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{status}\""));
        }
    }

    #[test]
    fn the_largest_order_is_an_event_that_may_be_sent() {
        let line = OrderLine {
            product_id: i64::MAX,
            product_name: "𝄞".repeat(MAX_NAME_CHARS),
            category: "𝄞".repeat(MAX_CATEGORY_CHARS),
            quantity: i32::MAX,
            price: MAX_PRICE,
            stock_taken: Some(i32::MAX),
            stock_returned: Some(i32::MAX),
        };
        let update = OrderStatusUpdated {
            order_id: i64::MAX,
            header: OrderHeader { customer_id: i64::MAX },
            old_status: OrderStatus::Delivered,
            new_status: OrderStatus::Cancelled,
            ordered_at: DateTime::UNIX_EPOCH,
            items: vec![line; MAX_ORDER_LINES],
            total: MAX_ORDER_TOTAL,
        };
        let json = serde_json::to_string(&update).unwrap();
        // PostgreSQL writes a JSONB with a blank after each colon and comma. The envelope
        // is small.
        let bytes = json.len() + json.matches([':', ',']).count() + 10_000;
        assert!(bytes < MAX_EVENT_BYTES, "{bytes}");
    }

    #[test]
    fn an_order_never_comes_back_to_a_status() {
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
