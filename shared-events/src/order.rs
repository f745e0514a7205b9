//! Events about orders.

use crate::envelope::to_the_microsecond;
use crate::limits::{MAX_CATEGORY_CHARS, MAX_NAME_CHARS, MAX_ORDER_LINES, MAX_ORDER_TOTAL};
use crate::order_status::status;
use crate::properties::{Properties, YEARS, check_name, elements};
use crate::{DecodeError, Money, OrderStatus};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One line of an order, as ordered: later changes of the product do not affect it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderLine {
    /// Product id.
    #[schema(minimum = 1, examples(1))]
    pub product_id: i64,
    /// Product name at the time of the order.
    #[schema(examples("Assam tea"))]
    pub product_name: String,
    /// Product category at the time of the order.
    #[schema(examples("Drinks"))]
    pub category: String,
    /// Number of units.
    #[schema(minimum = 1, examples(2))]
    pub quantity: i32,
    /// Price of one piece.
    pub price: Money,
    /// Units taken from stock: the quantity, or 0 if the stock was not tracked. Absent means
    /// the quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, examples(2))]
    pub stock_taken: Option<i32>,
    /// Units put back into stock, in the event that cancels the order: 0 if the stock was not
    /// tracked. Absent means the units that were taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, examples(2))]
    pub stock_returned: Option<i32>,
}

impl OrderLine {
    /// Whether name or category must be taken from the catalogue. Only lines of external events
    /// lack them, until the event is applied.
    pub fn lacks_product(&self) -> bool {
        self.product_name.is_empty() || self.category.is_empty()
    }

    /// Price of the line; none above the limit of [`Money`].
    pub fn amount(&self) -> Option<Money> {
        self.price.checked_times(self.quantity)
    }

    /// Units taken from stock.
    pub fn stock_taken(&self) -> i32 {
        self.stock_taken.unwrap_or(self.quantity)
    }

    /// Units that a cancellation puts back into stock.
    pub fn stock_returned(&self) -> i32 {
        self.stock_returned.unwrap_or_else(|| self.stock_taken())
    }
}

/// Sum of the lines; none above [`MAX_ORDER_TOTAL`].
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
    /// Order id.
    pub order_id: i64,
    /// The header. `Self::read` reads it separately: serde reads numbers of flattened
    /// structs through binary floats.
    #[serde(flatten, skip_deserializing)]
    pub header: OrderHeader,
    /// Always [`OrderStatus::Created`]; absent means the same.
    #[serde(default)]
    pub status: OrderStatus,
    /// The lines, at least one.
    pub items: Vec<OrderLine>,
    /// Sum of the lines.
    pub total: Money,
}

/// Payload of `OrderStatusUpdated`. It repeats the order, so that projections need no earlier
/// event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderStatusUpdated {
    /// Order id.
    pub order_id: i64,
    /// The header. `Self::read` reads it separately: serde reads numbers of flattened
    /// structs through binary floats.
    #[serde(flatten, skip_deserializing)]
    pub header: OrderHeader,
    /// Status before the change.
    pub old_status: OrderStatus,
    /// Status after the change.
    pub new_status: OrderStatus,
    /// When the order was placed.
    pub ordered_at: DateTime<Utc>,
    /// The lines, as in `OrderCreated`.
    pub items: Vec<OrderLine>,
    /// Sum of the lines.
    pub total: Money,
}

impl OrderHeader {
    /// The header of an order of a customer, without optional properties.
    pub fn of_customer(customer_id: i64) -> Self {
        Self { customer_id }
    }

    fn from_properties(properties: &Properties<'_>) -> Result<Self, DecodeError> {
        Ok(Self { customer_id: properties.id("customerId")? })
    }
}

impl OrderCreated {
    /// Reads the payload of one of our own events.
    pub(crate) fn read(json: &[u8]) -> Result<Self, DecodeError> {
        let order = Self { header: serde_json::from_slice(json)?, ..serde_json::from_slice(json)? };
        check_names(&order.items)?;
        order.check()
    }

    /// Reads the payload of an external event. Lines may lack name and category.
    pub(crate) fn from_properties(properties: &Properties<'_>) -> Result<Self, DecodeError> {
        let items = lines(properties, !properties.strict)?;
        let order = Self {
            order_id: properties.id("orderId")?,
            header: OrderHeader::from_properties(properties)?,
            status: properties.optional("status", status)?.unwrap_or_default(),
            total: total(properties, &items)?,
            items,
        };
        order.check()
    }

    /// Checks the constraints that types do not express.
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

    /// Reads the payload of an external event.
    pub(crate) fn from_properties(properties: &Properties<'_>) -> Result<Self, DecodeError> {
        let ordered_at = properties.time("orderedAt")?;
        let items = lines(properties, false)?;
        let update = Self {
            order_id: properties.id("orderId")?,
            header: OrderHeader::from_properties(properties)?,
            old_status: properties.required("oldStatus", status)?,
            new_status: properties.required("newStatus", status)?,
            ordered_at: ordered_at.ok_or_else(|| properties.refuse("orderedAt", "is required"))?,
            total: total(properties, &items)?,
            items,
        };
        update.check()
    }

    /// Checks the constraints that types do not express.
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

/// Reads the total; a missing total of an external event is the sum of the lines.
fn total(properties: &Properties<'_>, items: &[OrderLine]) -> Result<Money, DecodeError> {
    match properties.amount("total")? {
        Some(total) => Ok(total),
        None if properties.strict => Err(properties.refuse("total", "is required")),
        None => order_total(items).ok_or_else(|| properties.refuse("items", "sum is too large")),
    }
}

/// Reads the lines. With `may_lack`, name and category may be missing.
fn lines(properties: &Properties<'_>, may_lack: bool) -> Result<Vec<OrderLine>, DecodeError> {
    let json = properties.required("items", |json| Ok(json.to_owned()))?;
    let items = elements(&json).map_err(|problem| properties.refuse("items", problem))?;
    check_count(items.len())?;
    let paths = (0..).map(|index| properties.path(&format!("items[{index}]")));
    items
        .into_iter()
        .zip(paths)
        .map(|(json, path)| line(&Properties::read(json, path, properties.strict)?, may_lack))
        .collect()
}

fn line(properties: &Properties<'_>, may_lack: bool) -> Result<OrderLine, DecodeError> {
    let name = |name, max| match properties.name(name, max)? {
        Some(text) => Ok(text),
        None if may_lack => Ok(String::new()),
        None => Err(properties.refuse(name, "is required")),
    };
    let quantity = properties.small("quantity", 1, i32::MAX)?;
    Ok(OrderLine {
        product_id: properties.id("productId")?,
        product_name: name("productName", MAX_NAME_CHARS)?,
        category: name("category", MAX_CATEGORY_CHARS)?,
        quantity: quantity.ok_or_else(|| properties.refuse("quantity", "is required"))?,
        price: properties.price("price")?,
        stock_taken: properties.small("stockTaken", i32::MIN, i32::MAX)?,
        stock_returned: properties.small("stockReturned", i32::MIN, i32::MAX)?,
    })
}

fn check_count(lines: usize) -> Result<(), DecodeError> {
    if (1..=MAX_ORDER_LINES).contains(&lines) {
        Ok(())
    } else {
        Err(DecodeError::property("items", format!("must have 1 to {MAX_ORDER_LINES} lines")))
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
    check_count(items.len())?;
    for (index, line) in items.iter().enumerate() {
        if let Some((name, problem)) = line_problem(line) {
            return Err(DecodeError::property(format!("items[{index}].{name}"), problem));
        }
    }
    // Otherwise the spend of customers and the revenue of products would differ.
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

/// Checks a line except its names; returns the invalid property and its constraint.
fn line_problem(line: &OrderLine) -> Option<(&'static str, &'static str)> {
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
    fn the_event_of_the_largest_order_is_within_the_size_limit() {
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
            header: OrderHeader::of_customer(i64::MAX),
            old_status: OrderStatus::Delivered,
            new_status: OrderStatus::Cancelled,
            ordered_at: DateTime::UNIX_EPOCH,
            items: vec![line; MAX_ORDER_LINES],
            total: MAX_ORDER_TOTAL,
        };
        let json = serde_json::to_string(&update).unwrap();
        // PostgreSQL writes JSONB with a space after each colon and comma. The envelope is
        // small.
        let bytes = json.len() + json.matches([':', ',']).count() + 10_000;
        assert!(bytes < MAX_EVENT_BYTES, "{bytes}");
    }
}
