//! The transaction that refunds an order.

use super::order::{Locked, lock};
use super::refund::{
    LineLeft, MAX_REFUND_ITEMS, RefundRequest, Refusal, Share, check_status, is_whole, shares,
};
use super::restock::{lock_stocks, permit, return_units};
use super::status_change::not_found;
use crate::origin::Origin;
use crate::response::CommandResult;
use crate::transactions::{begin, commit};
use chrono::{DateTime, Utc};
use serde::Serialize;
use service_runtime::openapi::Id;
use service_runtime::problem::Problem;
use shared_events::{
    Event, Money, OrderLine, OrderRefunded, OrderStatus, Payload, RefundItem, now,
};
use sqlx::{PgConnection, PgPool};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A refund. `refundId` repeats `id`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refund {
    /// The id of the refund.
    #[schema(value_type = Id)]
    refund_id: i64,
    /// The id of the refund.
    #[schema(value_type = Id)]
    id: i64,
    /// The order.
    #[schema(value_type = Id)]
    order_id: i64,
    /// What was refunded, by line of the order.
    items: Vec<RefundItem>,
    /// Sum of the items.
    amount: Money,
    /// Sum of all refunds of the order, with this one.
    refunded_total: Money,
    /// Status of the order after the refund.
    status: OrderStatus,
    /// Why, if a reason was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("scratched"))]
    reason: Option<String>,
    /// When the refund was made.
    #[schema(examples("2026-11-21T11:44:31.230906Z"))]
    created_at: DateTime<Utc>,
}

/// A refund to be stored.
#[derive(Debug)]
pub struct NewRefund<'a> {
    pub order_id: i64,
    pub status: OrderStatus,
    pub version: i64,
    pub refunded_total: Money,
    pub reason: Option<&'a str>,
    pub amount: Money,
    pub created_at: DateTime<Utc>,
    /// Line id, share and units put back into stock.
    pub items: Vec<(i64, Share, i32)>,
    /// New stock of products.
    pub stocks: BTreeMap<i64, i32>,
}

/// Refunds a part of an order, or all that is left of it.
///
/// # Errors
/// 404 if there is no such order; 400 if it has no line with a named product; 409 if it is not
/// refundable or the refund exceeds what is left.
pub async fn refund(
    pool: PgPool,
    id: i64,
    request: RefundRequest,
    origin: Origin,
) -> CommandResult {
    let restocks = request.items.is_some() && request.restock.unwrap_or(true);
    let _permit = if restocks { Some(permit().await?) } else { None };
    let mut transaction = begin(&pool).await?;
    let locked = lock(&mut transaction, id).await?;
    let Locked { order, version, left } = locked.ok_or_else(|| not_found(id))?;
    check_status(order.status)?;
    let shares = shares(&left, &request)?;
    check_items(&mut transaction, id, &shares).await?;
    let status = if is_whole(&left, &shares) { OrderStatus::Refunded } else { order.status };
    let mut stocks = BTreeMap::new();
    if restocks {
        let refunded = order.items.iter().zip(&shares).filter(|(_, share)| share.quantity > 0);
        stocks = lock_stocks(&mut transaction, refunded.map(|(line, _)| line)).await?;
    }
    let items = items(&order.items, &left, &shares, status, &mut stocks);
    let amount = sum(items.iter().map(|(_, item)| item.amount));
    let refunded_total = sum([order.refunded_total, amount]);
    let created_at = now();
    let refund = NewRefund {
        order_id: id,
        status,
        version: version + 1,
        refunded_total,
        reason: request.reason.as_deref(),
        amount,
        created_at,
        items: items.iter().map(|(line, item)| (*line, item.into(), item.stock_returned)).collect(),
        stocks,
    };
    let refund_id = refund.store(&mut transaction).await?;
    let items: Vec<RefundItem> = items.into_iter().map(|(_, item)| item).collect();
    let event = OrderRefunded {
        refund_id,
        order_id: id,
        header: order.header,
        ordered_at: order.created_at,
        items,
        amount,
        refunded_total,
        status,
        reason: request.reason,
    };
    let response = Refund {
        refund_id,
        id: refund_id,
        order_id: id,
        items: event.items.iter().filter(|item| !item.is_empty()).cloned().collect(),
        amount,
        refunded_total,
        status,
        reason: event.reason.clone(),
        created_at,
    };
    let location = Some(format!("/api/orders/{id}/refunds"));
    let event = Event::new(version + 1, created_at, origin.trace, Payload::OrderRefunded(event));
    commit(transaction, event, location, &response, origin.key).await
}

/// Checks the number of items of all refunds of an order.
async fn check_items(
    connection: &mut PgConnection,
    order_id: i64,
    shares: &[Share],
) -> Result<(), Problem> {
    let before = sqlx::query_scalar!(
        r#"SELECT count(*) AS "items!"
           FROM refunds
           JOIN refund_items ON refund_id = refunds.id
           WHERE refunds.order_id = $1"#,
        order_id,
    )
    .fetch_one(connection)
    .await?;
    let new = shares.iter().filter(|share| **share != Share::default()).count();
    if before + new as i64 > MAX_REFUND_ITEMS {
        return Err(Refusal::TooManyItems.into());
    }
    Ok(())
}

/// The items of the event with their lines: those from which the refund takes something, or every
/// line if the order is refunded whole. Units return to the stocks given.
fn items(
    lines: &[OrderLine],
    left: &[LineLeft],
    shares: &[Share],
    status: OrderStatus,
    stocks: &mut BTreeMap<i64, i32>,
) -> Vec<(i64, RefundItem)> {
    let mut items = Vec::new();
    for ((line, left), share) in lines.iter().zip(left).zip(shares) {
        if status != OrderStatus::Refunded && *share == Share::default() {
            continue;
        }
        let item = RefundItem {
            product_id: line.product_id,
            product_name: line.product_name.clone(),
            category: line.category.clone(),
            quantity: share.quantity,
            amount: share.amount,
            stock_returned: return_units(stocks, line, share.quantity),
        };
        items.push((left.id, item));
    }
    items
}

/// A sum of parts of an order, which is below the limit of [`Money`].
pub fn sum(amounts: impl IntoIterator<Item = Money>) -> Money {
    amounts.into_iter().fold(Money::ZERO, |sum, amount| sum.checked_add(amount).unwrap_or(sum))
}

impl NewRefund<'_> {
    /// Stores the refund, changes the order, its lines and the stock, and returns its id.
    pub async fn store(&self, connection: &mut PgConnection) -> sqlx::Result<i64> {
        sqlx::query_file_scalar!(
            "src/orders/refund.sql",
            self.order_id,
            self.status.as_str(),
            self.version,
            self.refunded_total.as_decimal(),
            self.reason,
            self.amount.as_decimal(),
            self.created_at,
            &self.items.iter().map(|(id, ..)| *id).collect::<Vec<_>>(),
            &self.items.iter().map(|(_, share, _)| share.quantity).collect::<Vec<_>>(),
            &self.items.iter().map(|(_, share, _)| share.amount.as_decimal()).collect::<Vec<_>>(),
            &self.items.iter().map(|(.., returned)| *returned).collect::<Vec<_>>(),
            &self.stocks.keys().copied().collect::<Vec<_>>(),
            &self.stocks.values().copied().collect::<Vec<_>>(),
        )
        .fetch_one(connection)
        .await
    }
}

impl From<&RefundItem> for Share {
    fn from(item: &RefundItem) -> Self {
        Self { quantity: item.quantity, amount: item.amount }
    }
}
