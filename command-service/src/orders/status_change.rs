//! The transaction that changes the status of an order.

use super::order::Order;
use super::responses;
use super::status::{Step, decide, put_back};
use crate::origin::Origin;
use crate::response::CommandResponse;
use crate::transactions::{begin, commit_with};
use service_runtime::problem::Problem;
use shared_events::{
    Envelope, Event, Money, OrderHeader, OrderLine, OrderStatus, OrderStatusUpdated, Payload, now,
};
use sqlx::{PgConnection, PgPool};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// Maximum number of concurrent cancellations. They lock products as the order batcher does; more
/// of them in a row would exceed the lock timeout of a batch.
pub const CANCELLATIONS: usize = 2;

/// Time that a cancellation waits for others.
const WAIT: Duration = Duration::from_secs(3);

/// An order whose row is locked.
struct Locked {
    order: Order,
    version: i64,
    /// Ids of the rows of its lines, in the same order.
    line_ids: Vec<i64>,
}

/// Changes the status of an order. If the order has the status already, nothing changes.
///
/// # Errors
/// 404 if there is no such order; 409 if the transition is not allowed.
pub async fn change_status(
    pool: PgPool,
    id: i64,
    wanted: OrderStatus,
    origin: Origin,
    cancellations: &Semaphore,
) -> Result<CommandResponse, Problem> {
    let _permit = match wanted {
        OrderStatus::Cancelled => Some(permit(cancellations).await?),
        _ => None,
    };
    let mut transaction = begin(&pool).await?;
    let Some(Locked { mut order, version, line_ids }) = lock(&mut transaction, id).await? else {
        transaction.rollback().await?;
        return Err(not_found(id));
    };
    let step = decide(order.status, wanted);
    if step != Ok(Step::Move) {
        transaction.rollback().await?;
        return step.map_err(Problem::from).and_then(|_| responses::in_status(&order, None));
    }
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
    let event = Event {
        envelope: Envelope::new(version + 1, now(), origin.trace),
        payload: Payload::OrderStatusUpdated(OrderStatusUpdated {
            order_id: id,
            header: order.header.clone(),
            old_status,
            new_status: wanted,
            ordered_at: order.created_at,
            items: order.items.clone(),
            total: order.total,
        }),
    };
    let response = responses::in_status(&order, Some(event.envelope.event_id))?;
    commit_with(transaction, event, response, origin.key).await
}

/// The response if there is no such order.
pub fn not_found(id: i64) -> Problem {
    Problem::not_found("Order not found").detail(format!("There is no order {id}."))
}

/// Waits for a permit to cancel, before a connection is taken.
async fn permit(cancellations: &Semaphore) -> Result<SemaphorePermit<'_>, Problem> {
    match timeout(WAIT, cancellations.acquire()).await {
        Ok(permit) => permit.map_err(|error| Problem::internal(&error)),
        Err(_) => Err(Problem::unavailable("Service busy")
            .detail("Too many orders are being cancelled. The request had no effect; try again.")),
    }
}

async fn lock(connection: &mut PgConnection, id: i64) -> Result<Option<Locked>, Problem> {
    let row = sqlx::query!(
        "SELECT customer_id, total, status, version, created_at
         FROM orders
         WHERE id = $1
         FOR NO KEY UPDATE",
        id,
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let status = row
        .status
        .parse()
        .map_err(|_| Problem::internal(&format!("order {id} has status {}", row.status)))?;
    let (line_ids, items) = lines(connection, id).await?;
    let order = Order {
        id,
        header: OrderHeader { customer_id: row.customer_id },
        status,
        items,
        total: money(row.total)?,
        created_at: row.created_at,
    };
    Ok(Some(Locked { order, version: row.version, line_ids }))
}

async fn lines(
    connection: &mut PgConnection,
    order_id: i64,
) -> Result<(Vec<i64>, Vec<OrderLine>), Problem> {
    let rows = sqlx::query!(
        "SELECT id, product_id, product_name, category, quantity, price, stock_taken,
                stock_returned
         FROM order_items
         WHERE order_id = $1
         ORDER BY id",
        order_id,
    )
    .fetch_all(connection)
    .await?;
    let mut lines = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    for row in rows {
        lines.0.push(row.id);
        lines.1.push(OrderLine {
            product_id: row.product_id,
            product_name: row.product_name,
            category: row.category,
            quantity: row.quantity,
            price: money(row.price)?,
            stock_taken: Some(row.stock_taken),
            stock_returned: row.stock_returned,
        });
    }
    Ok(lines)
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

fn money(amount: sqlx::types::Decimal) -> Result<Money, Problem> {
    Money::from_decimal(amount).map_err(|error| Problem::internal(&error))
}
