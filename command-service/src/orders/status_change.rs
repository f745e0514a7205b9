//! The transaction that changes the status of an order.

use super::order::{Locked, lock};
use super::status::{check_transition, put_back};
use crate::origin::Origin;
use crate::response::{CommandResponse, CommandResult};
use crate::transactions::{begin, commit};
use service_runtime::problem::Problem;
use shared_events::{Event, OrderLine, OrderStatus, OrderStatusUpdated, Payload, now};
use sqlx::{PgConnection, PgPool};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// Limits concurrent cancellations. They lock products as the order batcher does; more of them in
/// a row would exceed the lock timeout of a batch.
static CANCELLATIONS: Semaphore = Semaphore::const_new(2);

/// Time that a cancellation waits for others.
const WAIT: Duration = Duration::from_secs(3);

/// Changes the status of an order. If the order has the status already, nothing changes.
///
/// # Errors
/// 404 if there is no such order; 409 if the transition is not allowed.
pub async fn change_status(
    pool: PgPool,
    id: i64,
    wanted: OrderStatus,
    origin: Origin,
) -> CommandResult {
    let _permit = match wanted {
        OrderStatus::Cancelled => Some(permit().await?),
        _ => None,
    };
    let mut transaction = begin(&pool).await?;
    let locked = lock(&mut transaction, id).await?;
    let Locked { mut order, version, line_ids } = locked.ok_or_else(|| not_found(id))?;
    if order.status == wanted {
        return CommandResponse::new(None, None, &order);
    }
    check_transition(order.status, wanted)?;
    let old_status = std::mem::replace(&mut order.status, wanted);
    if wanted == OrderStatus::Cancelled {
        restore_stock(&mut transaction, id, &mut order.items, &line_ids).await?;
    }
    sqlx::query!(
        "UPDATE orders SET status = $2, version = $3 WHERE id = $1",
        id,
        wanted.as_str(),
        version + 1,
    )
    .execute(&mut *transaction)
    .await?;
    let payload = Payload::OrderStatusUpdated(OrderStatusUpdated {
        order_id: id,
        header: order.header.clone(),
        old_status,
        new_status: wanted,
        ordered_at: order.created_at,
        items: order.items.clone(),
        total: order.total,
    });
    let event = Event::new(version + 1, now(), origin.trace, payload);
    commit(transaction, event, None, &order, origin.key).await
}

/// The response if there is no such order.
pub fn not_found(id: i64) -> Problem {
    Problem::not_found("Order not found").detail(format!("There is no order {id}."))
}

/// Waits for a permit to cancel, before a connection is taken.
async fn permit() -> Result<SemaphorePermit<'static>, Problem> {
    match timeout(WAIT, CANCELLATIONS.acquire()).await {
        Ok(permit) => permit.map_err(|error| Problem::internal(&error)),
        Err(_) => Err(Problem::unavailable("Service busy")
            .detail("Too many orders are being cancelled. The request had no effect; try again.")),
    }
}

/// Puts the units of an order back into stock, and stores their number on its lines.
async fn restore_stock(
    connection: &mut PgConnection,
    order_id: i64,
    items: &mut [OrderLine],
    line_ids: &[i64],
) -> sqlx::Result<()> {
    let taken = items.iter().filter(|line| line.stock_taken() > 0);
    let product_ids: Vec<i64> =
        taken.map(|line| line.product_id).collect::<BTreeSet<i64>>().into_iter().collect();
    let rows = sqlx::query!(
        r#"SELECT id, stock AS "stock!"
           FROM products
           WHERE id = ANY($1) AND stock IS NOT NULL
           ORDER BY id
           FOR NO KEY UPDATE"#,
        &product_ids,
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut stocks: BTreeMap<i64, i32> = rows.into_iter().map(|row| (row.id, row.stock)).collect();
    put_back(items, &mut stocks);
    sqlx::query_file!(
        "src/orders/put_back.sql",
        order_id,
        line_ids,
        &items.iter().map(OrderLine::stock_returned).collect::<Vec<_>>(),
        &stocks.keys().copied().collect::<Vec<_>>(),
        &stocks.values().copied().collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
