//! The transaction that changes the status of an order.

use super::order::{Locked, Order, lock};
use super::refund::{LineLeft, Share};
use super::refund_order::{NewRefund, sum};
use super::restock::{lock_stocks, permit};
use super::status::{Current, StatusChange, put_back};
use crate::origin::Origin;
use crate::response::{CommandResponse, CommandResult};
use crate::transactions::{begin, commit};
use chrono::{DateTime, Utc};
use service_runtime::problem::Problem;
use shared_events::{Event, Money, OrderLine, OrderStatus, OrderStatusUpdated, Payload, now};
use sqlx::{PgConnection, PgPool};
use std::collections::BTreeMap;

/// Changes the status of an order. If the order has the status already, nothing changes.
///
/// # Errors
/// 404 if there is no such order; 409 if the transition is not allowed.
pub async fn change_status(
    pool: PgPool,
    id: i64,
    change: StatusChange,
    origin: Origin,
) -> CommandResult {
    let StatusChange { status: wanted, reason } = change;
    let _permit = match wanted {
        OrderStatus::Cancelled => Some(permit().await?),
        _ => None,
    };
    let mut transaction = begin(&pool).await?;
    let locked = lock(&mut transaction, id).await?;
    let Locked { mut order, version, left } = locked.ok_or_else(|| not_found(id))?;
    if order.status == wanted {
        return CommandResponse::new(None, None, &order);
    }
    current(&order, &left).check(wanted)?;
    let old_status = std::mem::replace(&mut order.status, wanted);
    order.reason = reason;
    let (version, changed_at) = (version + 1, now());
    let mut refund_id = None;
    if wanted == OrderStatus::Refunded {
        let rest = (version, changed_at);
        refund_id = Some(refund_rest(&mut transaction, &mut order, rest, &left).await?);
    } else {
        if wanted == OrderStatus::Cancelled {
            restore_stock(&mut transaction, id, &mut order.items, &left).await?;
        }
        sqlx::query!(
            "UPDATE orders SET status = $2, version = $3, reason = $4 WHERE id = $1",
            id,
            wanted.as_str(),
            version,
            order.reason,
        )
        .execute(&mut *transaction)
        .await?;
    }
    let payload = Payload::OrderStatusUpdated(OrderStatusUpdated {
        order_id: id,
        header: order.header.clone(),
        old_status,
        new_status: wanted,
        ordered_at: order.created_at,
        items: order.items.clone(),
        total: order.total,
        reason: order.reason.clone(),
        refund_id,
    });
    let event = Event::new(version, changed_at, origin.trace, payload);
    commit(transaction, event, None, &order, origin.key).await
}

/// The response if there is no such order.
pub fn not_found(id: i64) -> Problem {
    Problem::not_found("Order not found").detail(format!("There is no order {id}."))
}

fn current(order: &Order, left: &[LineLeft]) -> Current {
    let is_refunded = |(line, left): (&OrderLine, &LineLeft)| left.quantity < line.quantity;
    let has_refunds =
        order.refunded_total > Money::ZERO || order.items.iter().zip(left).any(is_refunded);
    Current { status: order.status, reason: order.reason.clone(), has_refunds }
}

/// Refunds what is left of an order, without returning units to stock, and records on its lines
/// what was refunded before. Returns the id of the refund.
async fn refund_rest(
    connection: &mut PgConnection,
    order: &mut Order,
    (version, created_at): (i64, DateTime<Utc>),
    left: &[LineLeft],
) -> sqlx::Result<i64> {
    for (line, left) in order.items.iter_mut().zip(left) {
        let paid = line.amount().unwrap_or_default();
        line.refunded_quantity = Some(line.quantity - left.quantity).filter(|units| *units > 0);
        line.refunded_amount = paid.checked_sub(left.amount).filter(|amount| *amount > Money::ZERO);
    }
    order.refunded_total = order.total;
    let items: Vec<(i64, Share, i32)> = left.iter().map(|line| (line.id, line.all(), 0)).collect();
    let refund = NewRefund {
        order_id: order.id,
        status: order.status,
        version,
        refunded_total: order.total,
        reason: order.reason.as_deref(),
        amount: sum(left.iter().map(|line| line.amount)),
        created_at,
        items,
        stocks: BTreeMap::new(),
    };
    refund.store(connection).await
}

/// Puts the units of an order back into stock, and stores their number on its lines.
async fn restore_stock(
    connection: &mut PgConnection,
    order_id: i64,
    items: &mut [OrderLine],
    left: &[LineLeft],
) -> sqlx::Result<()> {
    let mut stocks = lock_stocks(connection, items.iter()).await?;
    put_back(items, &mut stocks);
    sqlx::query_file!(
        "src/orders/put_back.sql",
        order_id,
        &left.iter().map(|line| line.id).collect::<Vec<_>>(),
        &items.iter().map(OrderLine::stock_returned).collect::<Vec<_>>(),
        &stocks.keys().copied().collect::<Vec<_>>(),
        &stocks.values().copied().collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
