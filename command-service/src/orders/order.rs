//! An order and its rows. The statements that write and read the columns of orders are here.

use super::place::PlaceOrder;
use super::refund::LineLeft;
use super::rules::{ProductSnapshot, ProductSnapshots};
use crate::idempotency::StoredResponse;
use crate::origin::Origin;
use crate::outbox;
use crate::response::{CommandResponse, CommandResult};
use crate::transactions::money;
use chrono::{DateTime, Utc};
use serde::Serialize;
use service_runtime::openapi::Id;
use service_runtime::problem::Problem;
use shared_events::{Event, Money, OrderHeader, OrderLine, OrderStatus};
use sqlx::{PgConnection, query, query_file_as};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::oneshot;
use utoipa::ToSchema;
use uuid::Uuid;

/// An order. `orderId` repeats `id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The id of the order.
    #[schema(value_type = Id)]
    pub order_id: i64,
    /// The id of the order.
    #[schema(value_type = Id)]
    pub id: i64,
    /// The properties that do not change.
    #[serde(flatten)]
    pub header: OrderHeader,
    /// Current status.
    pub status: OrderStatus,
    /// The order lines, with names, categories and prices as ordered.
    pub items: Vec<OrderLine>,
    /// Sum of the lines.
    pub total: Money,
    /// Sum of the refunds.
    pub refunded_total: Money,
    /// Why the order last changed, if a reason was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("scratched"))]
    pub reason: Option<String>,
    /// When the order was placed.
    #[schema(examples("2026-11-21T11:44:31.230906Z"))]
    pub created_at: DateTime<Utc>,
}

/// A placed order, with the id of its event.
#[derive(Clone, Debug)]
pub struct Placed {
    pub order: Order,
    pub event_id: Uuid,
}

impl Placed {
    /// The response to the client.
    ///
    /// # Errors
    /// None in practice.
    pub fn response(&self) -> CommandResult {
        let location = format!("/api/orders/{}", self.order.id);
        CommandResponse::new(Some(self.event_id), Some(location), &self.order)
    }
}

/// An order with the channel for its outcome.
#[derive(Debug)]
pub struct QueuedOrder {
    pub order: PlaceOrder,
    pub origin: Origin,
    pub outcome: oneshot::Sender<Result<Placed, Problem>>,
}

/// An order whose row is locked.
pub struct Locked {
    pub order: Order,
    pub version: i64,
    /// What is left of its lines after refunds, in the same order.
    pub left: Vec<LineLeft>,
}

/// The result of [`write()`].
pub struct Written {
    /// Whether the products were unchanged; otherwise nothing was written.
    pub unchanged: bool,
    /// Reserved ids for as many orders of the next batch.
    pub next_order_ids: Vec<i64>,
}

/// Writes accepted orders with their events and stored responses, in one statement. Writes
/// nothing if one of their products has changed.
pub async fn write(
    connection: &mut PgConnection,
    orders: &[&Order],
    products: &ProductSnapshots,
    events: &[Event],
    responses: &[StoredResponse],
) -> sqlx::Result<Written> {
    let items: Vec<(i64, &OrderLine)> =
        orders.iter().flat_map(|order| order.items.iter().map(|line| (order.id, line))).collect();
    let sold: BTreeSet<i64> = items.iter().map(|(_, line)| line.product_id).collect();
    let sold: Vec<(i64, &ProductSnapshot)> =
        sold.into_iter().filter_map(|id| Some((id, products.get(&id)?))).collect();
    let payloads = events.iter().map(outbox::payload).collect::<sqlx::Result<Vec<_>>>()?;
    query_file_as!(
        Written,
        "src/orders/write.sql",
        &column(&sold, |(id, _)| *id),
        &column(&sold, |(_, product)| product.version),
        &column(&sold, |(_, product)| product.taken),
        &column(&sold, |(_, product)| product.created_at),
        &column(orders, |order| order.id),
        &column(orders, |order| order.header.customer_id),
        &column(orders, |order| order.total.as_decimal()),
        OrderStatus::Created.as_str(),
        &column(orders, |order| order.created_at),
        &column(&items, |(order_id, _)| *order_id),
        &column(&items, |(_, line)| line.product_id),
        &column(&items, |(_, line)| line.product_name.clone()),
        &column(&items, |(_, line)| line.category.clone()),
        &column(&items, |(_, line)| line.quantity),
        &column(&items, |(_, line)| line.price.as_decimal()),
        &column(&items, |(_, line)| line.stock_taken()),
        &column(events, |event| event.envelope.event_id),
        &column(events, |event| event.payload.topic().name().to_owned()),
        &payloads,
        StoredResponse::parameter(responses)?,
    )
    .fetch_one(connection)
    .await
}

/// One column of rows, as the parameter of a statement.
fn column<R, T>(rows: &[R], value: impl FnMut(&R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// Locks an order and reads it with its lines.
pub async fn lock(connection: &mut PgConnection, id: i64) -> sqlx::Result<Option<Locked>> {
    Ok(lock_all(connection, &[id]).await?.pop())
}

/// Locks orders by ascending id, and reads them with their lines.
pub async fn lock_all(connection: &mut PgConnection, ids: &[i64]) -> sqlx::Result<Vec<Locked>> {
    let rows = query!(
        "SELECT id, customer_id, total, refunded_total, status, reason, version, created_at
         FROM orders
         WHERE id = ANY($1)
         ORDER BY id
         FOR NO KEY UPDATE",
        ids,
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut lines = lines(connection, ids).await?;
    let orders = rows.into_iter().map(|row| {
        let id = row.id;
        let unknown =
            |_| sqlx::Error::Decode(format!("order {id} has status {}", row.status).into());
        let (left, items) = lines.remove(&id).unwrap_or_default();
        let order = Order {
            order_id: id,
            id,
            header: OrderHeader { customer_id: row.customer_id },
            status: row.status.parse().map_err(unknown)?,
            items,
            total: money(row.total)?,
            refunded_total: money(row.refunded_total)?,
            reason: row.reason,
            created_at: row.created_at,
        };
        Ok(Locked { order, version: row.version, left })
    });
    orders.collect()
}

/// What is left of the lines of an order after refunds, and the lines.
type Lines = (Vec<LineLeft>, Vec<OrderLine>);

/// The lines of orders.
async fn lines(connection: &mut PgConnection, ids: &[i64]) -> sqlx::Result<BTreeMap<i64, Lines>> {
    let rows = query!(
        r#"SELECT order_id, id, product_id, product_name, category, quantity, price, stock_taken,
                  stock_returned, quantity - refunded_quantity AS "quantity_left!",
                  quantity * price - refunded_amount AS "amount_left!"
           FROM order_items
           WHERE order_id = ANY($1)
           ORDER BY order_id, id"#,
        ids,
    )
    .fetch_all(connection)
    .await?;
    let mut lines: BTreeMap<i64, Lines> = BTreeMap::new();
    for row in rows {
        let price = money(row.price)?;
        let (left, items) = lines.entry(row.order_id).or_default();
        left.push(LineLeft {
            id: row.id,
            product_id: row.product_id,
            price,
            quantity: row.quantity_left,
            amount: money(row.amount_left)?,
        });
        items.push(OrderLine {
            product_id: row.product_id,
            product_name: row.product_name,
            category: row.category,
            quantity: row.quantity,
            price,
            stock_taken: Some(row.stock_taken),
            stock_returned: row.stock_returned,
            refunded_quantity: None,
            refunded_amount: None,
        });
    }
    Ok(lines)
}

#[cfg(test)]
mod database_tests {
    use service_runtime::postgres::INDEX_SCANS_ONLY;
    use sqlx::{AssertSqlSafe, ConnectOptions, PgPool, Row};

    /// Statistics can date from a time when tables were empty, and plans are cached.
    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn the_plan_uses_keys_even_if_tables_were_empty_when_it_was_made(pool: PgPool) {
        sqlx::raw_sql("VACUUM ANALYZE").execute(&pool).await.unwrap();
        let options = pool.connect_options().as_ref().clone().options(INDEX_SCANS_ONLY);
        let mut connection = options.connect().await.unwrap();
        let statement = include_str!("write.sql");
        let count = (1..).take_while(|n| statement.contains(&format!("${n}"))).count();
        let parameters = vec!["NULL"; count].join(", ");
        let prepare = format!("PREPARE written AS {statement}");
        sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut connection).await.unwrap();
        // By the simple protocol, because EXECUTE cannot be prepared.
        let explain = AssertSqlSafe(format!("EXPLAIN EXECUTE written({parameters})"));
        let rows = sqlx::raw_sql(explain).fetch_all(&mut connection).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let text = plan.join("\n");
        assert!(!text.contains("Seq Scan on products"), "{text}");
        let mut scans = 0;
        for pair in plan.windows(2).filter(|pair| pair[0].contains("Index Scan using")) {
            assert!(pair[1].contains("Index Cond"), "{text}");
            scans += 1;
        }
        // Products are locked and updated; customers are checked.
        assert_eq!(scans, 3, "{text}");
    }
}
