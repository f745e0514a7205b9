//! Changes of the status of orders.

use super::order::{Locked, lock};
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
use std::slice::from_mut;
use trace_context::TraceParent;

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
    let mut locked = locked.ok_or_else(|| not_found(id))?;
    if locked.order.status == wanted {
        return CommandResponse::new(None, None, &locked.order);
    }
    locked.current().check(wanted)?;
    let changed_at = now();
    let old_status = locked.set_status(wanted, reason);
    let refund_id = match wanted {
        OrderStatus::Refunded => {
            Some(refund_rest(&mut transaction, &mut locked, changed_at).await?)
        }
        OrderStatus::Cancelled => {
            restore_stock(&mut transaction, from_mut(&mut locked)).await?;
            store_status(&mut transaction, from_mut(&mut locked)).await?;
            None
        }
        OrderStatus::Created
        | OrderStatus::Paid
        | OrderStatus::Shipped
        | OrderStatus::Delivered => {
            store_status(&mut transaction, from_mut(&mut locked)).await?;
            None
        }
    };
    let event = locked.status_event(old_status, refund_id, changed_at, origin.trace);
    commit(transaction, event, None, &locked.order, origin.key).await
}

/// The response if there is no such order.
pub fn not_found(id: i64) -> Problem {
    Problem::not_found("Order not found").detail(format!("There is no order {id}."))
}

impl Locked {
    fn current(&self) -> Current {
        let Self { order, left, .. } = self;
        let is_refunded = |(line, left): (&OrderLine, &LineLeft)| left.quantity < line.quantity;
        let has_refunds =
            order.refunded_total > Money::ZERO || order.items.iter().zip(left).any(is_refunded);
        Current { status: order.status, reason: order.reason.clone(), has_refunds }
    }

    /// Changes the status in memory, and returns the old one.
    pub fn set_status(&mut self, status: OrderStatus, reason: Option<String>) -> OrderStatus {
        self.version += 1;
        self.order.reason = reason;
        std::mem::replace(&mut self.order.status, status)
    }

    /// The event of a change of the status.
    pub fn status_event(
        &self,
        old_status: OrderStatus,
        refund_id: Option<i64>,
        changed_at: DateTime<Utc>,
        trace: TraceParent,
    ) -> Event {
        let order = &self.order;
        let payload = Payload::OrderStatusUpdated(OrderStatusUpdated {
            order_id: order.id,
            header: order.header.clone(),
            old_status,
            new_status: order.status,
            ordered_at: order.created_at,
            items: order.items.clone(),
            total: order.total,
            reason: order.reason.clone(),
            refund_id,
        });
        Event::new(self.version, changed_at, trace, payload)
    }
}

/// Stores the status of orders, with version and reason.
pub async fn store_status(connection: &mut PgConnection, orders: &[Locked]) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE orders
         SET status = changed.status, version = changed.version, reason = changed.reason
         FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[])
             AS changed (id, status, version, reason)
         WHERE orders.id = changed.id",
        &orders.iter().map(|locked| locked.order.id).collect::<Vec<_>>(),
        &orders.iter().map(|locked| locked.order.status.to_string()).collect::<Vec<_>>(),
        &orders.iter().map(|locked| locked.version).collect::<Vec<_>>(),
        &orders.iter().map(|locked| locked.order.reason.clone()).collect::<Vec<_>>() as _,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Refunds what is left of an order, without returning units to stock, and records on its lines
/// what was refunded before. Returns the id of the refund.
async fn refund_rest(
    connection: &mut PgConnection,
    Locked { order, version, left }: &mut Locked,
    created_at: DateTime<Utc>,
) -> sqlx::Result<i64> {
    for (line, left) in order.items.iter_mut().zip(&*left) {
        let paid = line.amount().unwrap_or_default();
        line.refunded_quantity = Some(line.quantity - left.quantity).filter(|units| *units > 0);
        line.refunded_amount = paid.checked_sub(left.amount).filter(|amount| *amount > Money::ZERO);
    }
    order.refunded_total = order.total;
    let items: Vec<(i64, Share, i32)> = left.iter().map(|line| (line.id, line.all(), 0)).collect();
    let refund = NewRefund {
        order_id: order.id,
        status: order.status,
        version: *version,
        refunded_total: order.total,
        reason: order.reason.as_deref(),
        amount: sum(left.iter().map(|line| line.amount)),
        created_at,
        items,
        stocks: BTreeMap::new(),
    };
    refund.store(connection).await
}

/// Puts the units of orders back into stock, and stores their number on the lines.
pub async fn restore_stock(
    connection: &mut PgConnection,
    orders: &mut [Locked],
) -> sqlx::Result<()> {
    let lines = orders.iter().flat_map(|locked| &locked.order.items);
    let mut stocks = lock_stocks(connection, lines).await?;
    let (mut order_ids, mut line_ids, mut returned) = (Vec::new(), Vec::new(), Vec::new());
    for Locked { order, left, .. } in orders {
        put_back(&mut order.items, &mut stocks);
        order_ids.extend(left.iter().map(|_| order.id));
        line_ids.extend(left.iter().map(|line| line.id));
        returned.extend(order.items.iter().map(OrderLine::stock_returned));
    }
    sqlx::query_file!(
        "src/orders/put_back.sql",
        &order_ids,
        &line_ids,
        &returned,
        &stocks.keys().copied().collect::<Vec<_>>(),
        &stocks.values().copied().collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
