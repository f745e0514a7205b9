//! Events about orders.

use crate::envelope::to_the_microsecond;
use crate::limits::{
    MAX_CATEGORY_CHARS, MAX_NAME_CHARS, MAX_ORDER_LINES, MAX_ORDER_TOTAL, MAX_REASON_CHARS,
};
use crate::properties::{Properties, YEARS, text};
use crate::{DecodeError, Money, OrderStatus};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
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
    /// Price per unit.
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
    /// Units that were refunded before, in the event that refunds the rest of the order. Absent
    /// means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, examples(1))]
    pub refunded_quantity: Option<i32>,
    /// Amount that was refunded before, in the same event. Absent means nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub refunded_amount: Option<Money>,
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
/// `#[serde(skip_serializing_if = "Option::is_none")]`. An absent field means that
/// the event does not state it, because an older command service has written it; it never
/// means that the value was removed. So a view merges the field by `coalesce`, and events may
/// arrive in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(description = "The properties of an order that do not change after it is placed.")]
pub struct OrderHeader {
    /// The customer who ordered.
    #[schema(minimum = 1, examples(42))]
    pub customer_id: i64,
}

/// Payload of `OrderCreated`. The event's timestamp is the order's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderCreated {
    /// Order id.
    pub order_id: i64,
    /// The header.
    #[serde(flatten)]
    pub header: OrderHeader,
    /// Always [`OrderStatus::Created`]; absent means the same.
    pub status: OrderStatus,
    /// The lines, at least one.
    pub items: Vec<OrderLine>,
    /// Sum of the lines.
    pub total: Money,
}

/// Payload of `OrderStatusUpdated`. It repeats the order, so that projections need no earlier
/// event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderStatusUpdated {
    /// Order id.
    pub order_id: i64,
    /// The header.
    #[serde(flatten)]
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
    /// Why the status changed, if the client or the service gave a reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The refund of what was left, if the new status is REFUNDED. Older events have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_id: Option<i64>,
}

impl OrderHeader {
    /// The header of an order of a customer, without optional properties.
    pub fn of_customer(customer_id: i64) -> Self {
        Self { customer_id }
    }

    pub(crate) fn read(properties: &Properties<'_>) -> Result<Self, DecodeError> {
        Ok(Self { customer_id: properties.id("customerId")? })
    }
}

impl OrderCreated {
    /// Lines of an external event may lack name and category.
    pub(crate) fn read(properties: &Properties<'_>) -> Result<Self, DecodeError> {
        let status = |json: &str| OrderStatus::read(&text(json)?);
        let status = properties.optional("status", status)?.unwrap_or_default();
        if status != OrderStatus::Created {
            return Err(properties.refuse("status", "must be CREATED in OrderCreated"));
        }
        let items = lines(properties, !properties.strict)?;
        Ok(Self {
            order_id: properties.id("orderId")?,
            header: OrderHeader::read(properties)?,
            status,
            total: total(properties, &items)?,
            items,
        })
    }
}

impl OrderStatusUpdated {
    pub(crate) fn read(properties: &Properties<'_>) -> Result<Self, DecodeError> {
        let status = |json: &str| OrderStatus::read(&text(json)?);
        let old_status = properties.required("oldStatus", status)?;
        let new_status = properties.required("newStatus", status)?;
        if !old_status.successors().contains(&new_status) {
            let problem = format!("{new_status} may not follow {old_status}");
            return Err(properties.refuse("newStatus", problem));
        }
        let ordered_at = properties.present("orderedAt", properties.time("orderedAt")?)?;
        let items = lines(properties, false)?;
        Ok(Self {
            order_id: properties.id("orderId")?,
            header: OrderHeader::read(properties)?,
            old_status,
            new_status,
            ordered_at: to_the_microsecond(ordered_at)
                .ok_or_else(|| properties.refuse("orderedAt", YEARS))?,
            total: total(properties, &items)?,
            items,
            reason: properties.name("reason", MAX_REASON_CHARS)?,
            refund_id: properties.whole("refundId", 1, i64::MAX)?,
        })
    }
}

/// Reads the total, which must be the sum of the lines. Otherwise the spend of customers and the
/// revenue of products would differ.
fn total(properties: &Properties<'_>, items: &[OrderLine]) -> Result<Money, DecodeError> {
    let sum = order_total(items).ok_or_else(|| {
        let problem = format!("sum of quantity × price must be at most {MAX_ORDER_TOTAL}");
        properties.refuse("items", problem)
    })?;
    let total = properties.or_default("total", properties.amount("total")?, || Some(sum))?;
    if total == sum {
        return Ok(total);
    }
    let problem = format!("must be the sum of quantity × price, {sum}, not {total}");
    Err(properties.refuse("total", problem))
}

/// Reads the lines. With `may_lack`, name and category may be missing.
fn lines(properties: &Properties<'_>, may_lack: bool) -> Result<Vec<OrderLine>, DecodeError> {
    read_items(properties, |properties| line(properties, may_lack))
}

/// Reads `items`, each with `read`.
pub(crate) fn read_items<T>(
    properties: &Properties<'_>,
    read: impl Fn(&Properties<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let json = properties.present("items", properties.json("items")?)?;
    let items: Vec<&RawValue> =
        serde_json::from_str(json).map_err(|_| properties.refuse("items", "must be an array"))?;
    if !(1..=MAX_ORDER_LINES).contains(&items.len()) {
        let problem = format!("must have 1 to {MAX_ORDER_LINES} lines");
        return Err(properties.refuse("items", problem));
    }
    let items = items.into_iter().enumerate();
    items
        .map(|(index, json)| read(&Properties::of_line(json.get(), index, properties.strict)?))
        .collect()
}

fn line(properties: &Properties<'_>, may_lack: bool) -> Result<OrderLine, DecodeError> {
    let name = |name, max| match properties.name(name, max)? {
        None if may_lack => Ok(String::new()),
        text => properties.present(name, text),
    };
    let quantity = properties.present("quantity", properties.small("quantity", 1, i32::MAX)?)?;
    let stock_taken = properties.small("stockTaken", 0, quantity)?;
    let line = OrderLine {
        product_id: properties.id("productId")?,
        product_name: name("productName", MAX_NAME_CHARS)?,
        category: name("category", MAX_CATEGORY_CHARS)?,
        quantity,
        price: properties.present("price", properties.price("price")?)?,
        stock_taken,
        stock_returned: properties.small("stockReturned", 0, stock_taken.unwrap_or(quantity))?,
        refunded_quantity: properties.small("refundedQuantity", 0, quantity)?,
        refunded_amount: properties.price("refundedAmount")?,
    };
    if line.amount() < line.refunded_amount {
        return Err(properties.refuse("refundedAmount", "must be at most quantity × price"));
    }
    Ok(line)
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
            refunded_quantity: Some(i32::MAX),
            refunded_amount: Some(MAX_ORDER_TOTAL),
        };
        let update = OrderStatusUpdated {
            order_id: i64::MAX,
            header: OrderHeader::of_customer(i64::MAX),
            old_status: OrderStatus::Delivered,
            new_status: OrderStatus::Cancelled,
            ordered_at: DateTime::UNIX_EPOCH,
            items: vec![line; MAX_ORDER_LINES],
            total: MAX_ORDER_TOTAL,
            reason: Some("𝄞".repeat(MAX_REASON_CHARS)),
            refund_id: Some(i64::MAX),
        };
        let json = serde_json::to_string(&update).unwrap();
        // PostgreSQL writes JSONB with a space after each colon and comma. The envelope is
        // small.
        let bytes = json.len() + json.matches([':', ',']).count() + 10_000;
        assert!(bytes < MAX_EVENT_BYTES, "{bytes}");
    }
}
