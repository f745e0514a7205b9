//! The transaction that places orders.

use super::order::Order;
use super::place::PlaceOrder;
use super::rules::{Accepted, PricePolicy, Refusal, Shelf, Shelves, decide};
use crate::outbox;
use chrono::{DateTime, Utc};
use shared_events::{
    Envelope, Event, Money, OrderCreated, OrderLine, OrderStatus, Payload, TraceParent, now,
};
use sqlx::{Connection, PgConnection};
use std::collections::BTreeSet;
use uuid::Uuid;

/// An order as placed, and the id of its event.
#[derive(Clone, Debug)]
pub struct Placed {
    pub order: Order,
    pub event_id: Uuid,
}

/// What became of each order, in the order of arrival.
pub type Outcomes = Vec<Result<Placed, Refusal>>;

/// Why a transaction placed none of its orders.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Before COMMIT: certainly nothing was changed.
    #[error(transparent)]
    BeforeCommit(#[from] sqlx::Error),
    /// The answer to COMMIT was lost: nobody knows.
    #[error("the outcome of the commit is unknown: {0}")]
    CommitUnknown(sqlx::Error),
}

/// Places orders in one transaction; `orders` in the order of arrival. A
/// refused order changes nothing and does not fail its neighbours.
///
/// `begin` starts the transaction: BEGIN and its settings.
pub async fn place(
    connection: &mut PgConnection,
    begin: &'static str,
    orders: &[(&PlaceOrder, &TraceParent)],
    policy: PricePolicy,
) -> Result<Outcomes, Failure> {
    let mut transaction = connection.begin_with(begin).await?;
    let mut shelves = lock_products(&mut transaction, orders).await?;
    let decisions: Vec<Result<Accepted, Refusal>> =
        orders.iter().map(|(order, _)| decide(order, &mut shelves, policy)).collect();
    let accepted = decisions.iter().filter(|decision| decision.is_ok()).count();
    let mut ids = draw_ids(&mut transaction, accepted).await?.into_iter();

    let placed_at = now();
    let mut outcomes = Vec::with_capacity(orders.len());
    let mut events = Vec::with_capacity(accepted);
    for ((order, trace), decision) in orders.iter().zip(decisions) {
        outcomes.push(match decision {
            Ok(accepted) => {
                let id = ids.next().ok_or(sqlx::Error::RowNotFound)?;
                let (placed, event) = record(id, order, accepted, placed_at, (*trace).clone());
                events.push(event);
                Ok(placed)
            }
            Err(refusal) => Err(refusal),
        });
    }
    if events.is_empty() {
        // The locks go before the answers.
        transaction.rollback().await?;
        return Ok(outcomes);
    }
    write(&mut transaction, &outcomes, &shelves).await?;
    outbox::append(&mut transaction, &events.iter().collect::<Vec<&Event>>()).await?;
    transaction.commit().await.map_err(Failure::CommitUnknown)?;
    Ok(outcomes)
}

/// Draws order ids: only for accepted orders, so that refusals leave no gaps.
async fn draw_ids(connection: &mut PgConnection, count: usize) -> sqlx::Result<Vec<i64>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    sqlx::query_scalar!(
        r#"SELECT nextval(pg_get_serial_sequence('orders', 'id')) AS "id!"
           FROM generate_series(1, $1)"#,
        count as i64,
    )
    .fetch_all(connection)
    .await
}

fn record(
    id: i64,
    order: &PlaceOrder,
    accepted: Accepted,
    placed_at: DateTime<Utc>,
    trace: TraceParent,
) -> (Placed, Event) {
    let envelope = Envelope::new(1, placed_at, trace);
    let order = Order {
        id,
        customer_id: order.customer_id,
        status: OrderStatus::Created,
        items: accepted.lines,
        total: accepted.total,
        created_at: placed_at,
    };
    let payload = Payload::OrderCreated(OrderCreated {
        order_id: id,
        customer_id: order.customer_id,
        status: order.status,
        items: order.items.clone(),
        total: order.total,
    });
    (Placed { order, event_id: envelope.event_id }, Event { envelope, payload })
}

/// The products that orders name, ascending, each once.
pub fn product_ids<'a>(orders: impl Iterator<Item = &'a PlaceOrder>) -> Vec<i64> {
    let lines = orders.flat_map(|order| &order.lines);
    lines.map(|line| line.product_id).collect::<BTreeSet<i64>>().into_iter().collect()
}

/// Those of the products that somebody else holds locked at the moment.
pub async fn held_products(
    connection: &mut PgConnection,
    ids: &[i64],
) -> sqlx::Result<BTreeSet<i64>> {
    let held = sqlx::query_scalar!(
        "WITH free AS (
             SELECT id FROM products WHERE id = ANY($1) FOR NO KEY UPDATE SKIP LOCKED
         )
         SELECT id FROM products WHERE id = ANY($1) AND id NOT IN (SELECT id FROM free)",
        ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(held.into_iter().collect())
}

/// Locks the products that the orders name, by ascending id.
async fn lock_products(
    connection: &mut PgConnection,
    orders: &[(&PlaceOrder, &TraceParent)],
) -> sqlx::Result<Shelves> {
    let ids = product_ids(orders.iter().map(|(order, _)| *order));
    let rows = sqlx::query!(
        "SELECT id, name, category, price, stock
         FROM products
         WHERE id = ANY($1)
         ORDER BY id
         FOR NO KEY UPDATE",
        &ids,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let price = Money::from_decimal(row.price)
                .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            let shelf =
                Shelf { name: row.name, category: row.category, price, stock: row.stock, taken: 0 };
            Ok((row.id, shelf))
        })
        .collect()
}

async fn write(
    connection: &mut PgConnection,
    outcomes: &Outcomes,
    shelves: &Shelves,
) -> sqlx::Result<()> {
    let orders: Vec<&Order> = outcomes.iter().flatten().map(|placed| &placed.order).collect();
    let items: Vec<(i64, &OrderLine)> =
        orders.iter().flat_map(|order| order.items.iter().map(|line| (order.id, line))).collect();
    let taken: Vec<(&i64, &Shelf)> = shelves.iter().filter(|(_, shelf)| shelf.taken > 0).collect();
    sqlx::query_file!(
        "src/orders/write.sql",
        &orders.iter().map(|order| order.id).collect::<Vec<_>>(),
        &orders.iter().map(|order| order.customer_id).collect::<Vec<_>>(),
        &orders.iter().map(|order| order.total.as_decimal()).collect::<Vec<_>>(),
        &orders.iter().map(|order| order.created_at).collect::<Vec<_>>(),
        OrderStatus::Created.as_str(),
        &items.iter().map(|(order_id, _)| *order_id).collect::<Vec<_>>(),
        &items.iter().map(|(_, line)| line.product_id).collect::<Vec<_>>(),
        &items.iter().map(|(_, line)| line.product_name.clone()).collect::<Vec<_>>(),
        &items.iter().map(|(_, line)| line.category.clone()).collect::<Vec<_>>(),
        &items.iter().map(|(_, line)| line.quantity).collect::<Vec<_>>(),
        &items.iter().map(|(_, line)| line.price.as_decimal()).collect::<Vec<_>>(),
        &items.iter().map(|(_, line)| line.stock_taken()).collect::<Vec<_>>(),
        &taken.iter().map(|(id, _)| **id).collect::<Vec<_>>(),
        &taken.iter().map(|(_, shelf)| shelf.taken).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}
