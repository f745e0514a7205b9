//! Events about refunds of orders.

use crate::envelope::to_the_microsecond;
use crate::limits::{MAX_CATEGORY_CHARS, MAX_NAME_CHARS, MAX_REASON_CHARS};
use crate::order::read_items;
use crate::properties::{Properties, YEARS, text};
use crate::{DecodeError, Money, OrderHeader, OrderStatus};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a refund takes from one line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundItem {
    /// Product id.
    #[schema(minimum = 1, examples(1))]
    pub product_id: i64,
    /// Product name at the time of the order.
    #[schema(examples("Assam tea"))]
    pub product_name: String,
    /// Product category at the time of the order.
    #[schema(examples("Drinks"))]
    pub category: String,
    /// Number of refunded units; 0 if only money is refunded.
    #[schema(minimum = 0, examples(1))]
    pub quantity: i32,
    /// Refunded amount.
    pub amount: Money,
    /// Units put back into stock.
    #[schema(minimum = 0, examples(1))]
    pub stock_returned: i32,
}

/// Payload of `OrderRefunded`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderRefunded {
    /// Refund id.
    pub refund_id: i64,
    /// Order id.
    pub order_id: i64,
    /// The header.
    #[serde(flatten)]
    pub header: OrderHeader,
    /// When the order was placed.
    pub ordered_at: DateTime<Utc>,
    /// One for each line of the order from which units or money are refunded. If the refund makes
    /// the order REFUNDED, one for every line, because the order then leaves the counts of each
    /// product and category.
    pub items: Vec<RefundItem>,
    /// Sum of the items.
    pub amount: Money,
    /// Sum of all refunds of the order, with this one.
    pub refunded_total: Money,
    /// Status after the refund: REFUNDED if it refunds the last unit and the last amount.
    pub status: OrderStatus,
    /// Why, in the words of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl RefundItem {
    /// Whether nothing is refunded of the line.
    pub fn is_empty(&self) -> bool {
        self.quantity == 0 && self.amount == Money::ZERO
    }
}

impl OrderRefunded {
    pub(crate) fn read(properties: &Properties<'_>) -> Result<Self, DecodeError> {
        let status = |json: &str| OrderStatus::read(&text(json)?);
        let ordered_at = properties.present("orderedAt", properties.time("orderedAt")?)?;
        let items = read_items(properties, item)?;
        let amounts = items.iter().try_fold(Money::ZERO, |sum, item| sum.checked_add(item.amount));
        let amount = properties.or_default("amount", properties.price("amount")?, || amounts)?;
        if amounts != Some(amount) {
            return Err(properties.refuse("amount", "must be the sum of the amounts of the items"));
        }
        let refunded_total =
            properties.present("refundedTotal", properties.price("refundedTotal")?)?;
        if refunded_total < amount {
            let problem = format!("must be at least the amount, {amount}");
            return Err(properties.refuse("refundedTotal", problem));
        }
        let status = properties.required("status", status)?;
        if status != OrderStatus::Refunded && !status.successors().contains(&OrderStatus::Refunded)
        {
            let problem = format!("must be a status after payment, not {status}");
            return Err(properties.refuse("status", problem));
        }
        Ok(Self {
            refund_id: properties.id("refundId")?,
            order_id: properties.id("orderId")?,
            header: OrderHeader::read(properties)?,
            ordered_at: to_the_microsecond(ordered_at)
                .ok_or_else(|| properties.refuse("orderedAt", YEARS))?,
            items,
            amount,
            refunded_total,
            status,
            reason: properties.name("reason", MAX_REASON_CHARS)?,
        })
    }
}

fn item(properties: &Properties<'_>) -> Result<RefundItem, DecodeError> {
    let quantity = properties.present("quantity", properties.small("quantity", 0, i32::MAX)?)?;
    let stock_returned = properties.small("stockReturned", 0, quantity)?;
    Ok(RefundItem {
        product_id: properties.id("productId")?,
        product_name: properties.required_name("productName", MAX_NAME_CHARS)?,
        category: properties.required_name("category", MAX_CATEGORY_CHARS)?,
        quantity,
        amount: properties.present("amount", properties.price("amount")?)?,
        stock_returned: properties
            .or_default("stockReturned", stock_returned, || Some(quantity))?,
    })
}
