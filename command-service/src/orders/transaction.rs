//! The transaction that places orders.

use super::order::{Order, Placed};
use super::place::PlaceOrder;
use super::product_cache::{ProductCache, product_ids};
use super::responses;
use super::rules::{Accepted, PricePolicy, ProductSnapshot, ProductSnapshots, Refusal, decide};
use crate::idempotency::{Key, StoredResponse};
use crate::metrics::ORDER_BATCHES_REPEATED;
use crate::origin::Origin;
use crate::outbox;
use crate::response::CommandResponse;
use chrono::{DateTime, Utc};
use service_runtime::postgres::may_have_committed;
use shared_events::{
    Envelope, Event, OrderCreated, OrderHeader, OrderLine, OrderStatus, Payload, now,
};
use sqlx::{Connection, PgConnection};
use std::collections::BTreeSet;
use trace_context::TraceParent;

/// The outcome of each order, in the order of arrival.
pub type Outcomes = Vec<Result<Placed, Refusal>>;

/// Why a transaction placed none of its orders.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nothing was changed.
    #[error(transparent)]
    NotCommitted(#[from] sqlx::Error),
    /// The response to COMMIT was lost: the outcome is unknown.
    #[error("the outcome of the commit is unknown: {0}")]
    CommitUnknown(sqlx::Error),
}

/// An order and the origin of its command.
pub type Arrived<'a> = (&'a PlaceOrder, &'a Origin);

/// The decisions about a batch, and what is to be written.
struct Draft {
    outcomes: Outcomes,
    /// Responses to be stored: those of accepted orders with an idempotency key.
    responses: Vec<(Key, CommandResponse)>,
    /// The events of the accepted orders.
    events: Vec<Event>,
    products: ProductSnapshots,
}

/// Places orders in one transaction; `orders` are in the order of arrival. A refused order
/// changes nothing and does not fail the others.
///
/// Usually the transaction is a single statement: the orders are decided in memory by the
/// cache, and written provided that their products still have the cached versions. Products
/// that are not cached are read first. If a product has changed, the batch is decided again,
/// with its products locked from the start.
pub async fn place(
    connection: &mut PgConnection,
    orders: &[Arrived<'_>],
    policy: PricePolicy,
    cache: &mut ProductCache,
) -> Result<Outcomes, Failure> {
    let draft = match Draft::from_cache(orders, policy, cache) {
        Some(draft) => draft,
        None => Draft::from_database(connection, orders, policy, cache).await?,
    };
    if draft.write(connection, cache).await.map_err(Failure::of_commit)? {
        return Ok(draft.outcomes);
    }
    ORDER_BATCHES_REPEATED.add(1);
    let mut transaction = connection.begin().await?;
    lock_products(&mut transaction, orders).await?;
    let draft = Draft::from_database(&mut transaction, orders, policy, cache).await?;
    if !draft.write(&mut transaction, cache).await? {
        return Err(sqlx::Error::Decode("locked products have changed".into()).into());
    }
    transaction.commit().await.map_err(Failure::of_commit)?;
    Ok(draft.outcomes)
}

impl Failure {
    /// An error of COMMIT, or of the single statement that writes and commits.
    fn of_commit(error: sqlx::Error) -> Self {
        if may_have_committed(&error) {
            Self::CommitUnknown(error)
        } else {
            Self::NotCommitted(error)
        }
    }
}

impl Draft {
    /// Decides by cached products; none if some are not cached or an order would be refused.
    fn from_cache(
        orders: &[Arrived<'_>],
        policy: PricePolicy,
        cache: &ProductCache,
    ) -> Option<Self> {
        if !cache.suffices(orders.iter().map(|(order, _)| *order)) {
            return None;
        }
        let draft = Self::decide(orders, policy, cache).ok()?;
        draft.outcomes.iter().all(Result::is_ok).then_some(draft)
    }

    /// Reads the products and decides by them.
    async fn from_database(
        connection: &mut PgConnection,
        orders: &[Arrived<'_>],
        policy: PricePolicy,
        cache: &mut ProductCache,
    ) -> sqlx::Result<Self> {
        let placed: Vec<&PlaceOrder> = orders.iter().map(|(order, _)| *order).collect();
        cache.read(connection, &placed).await?;
        Self::decide(orders, policy, cache)
    }

    fn decide(
        orders: &[Arrived<'_>],
        policy: PricePolicy,
        cache: &ProductCache,
    ) -> sqlx::Result<Self> {
        let mut draft = Self {
            outcomes: Vec::with_capacity(orders.len()),
            responses: Vec::new(),
            events: Vec::with_capacity(orders.len()),
            products: cache.snapshots(orders.iter().map(|(order, _)| *order)),
        };
        let mut order_ids = cache.order_ids().iter().copied();
        let placed_at = now();
        for (order, Origin { trace, key, .. }) in orders {
            let outcome = match decide(order, &mut draft.products, policy) {
                Ok(accepted) => {
                    let id = order_ids.next().ok_or(sqlx::Error::RowNotFound)?;
                    let (placed, event) = record(id, order, accepted, placed_at, *trace);
                    if let Some(key) = key {
                        let response = responses::placed(&placed).map_err(|_| {
                            sqlx::Error::Encode("a response has no JSON form".into())
                        })?;
                        draft.responses.push((key.clone(), response));
                    }
                    draft.events.push(event);
                    Ok(placed)
                }
                Err(refusal) => Err(refusal),
            };
            draft.outcomes.push(outcome);
        }
        Ok(draft)
    }

    /// Writes the accepted orders in one statement. Returns false if a product has changed:
    /// then nothing was written.
    async fn write(
        &self,
        connection: &mut PgConnection,
        cache: &mut ProductCache,
    ) -> sqlx::Result<bool> {
        if self.events.is_empty() {
            return Ok(true);
        }
        let orders: Vec<&Order> =
            self.outcomes.iter().flatten().map(|placed| &placed.order).collect();
        let items: Vec<(i64, &OrderLine)> = orders
            .iter()
            .flat_map(|order| order.items.iter().map(|line| (order.id, line)))
            .collect();
        let sold: BTreeSet<i64> = items.iter().map(|(_, line)| line.product_id).collect();
        let sold: Vec<(i64, &ProductSnapshot)> =
            sold.into_iter().filter_map(|id| Some((id, self.products.get(&id)?))).collect();
        let entries = outbox::Entries::of(&self.events)?;
        let kept: Vec<StoredResponse<'_>> = self
            .responses
            .iter()
            .filter_map(|(key, response)| StoredResponse::new(key, response))
            .collect();
        // If the statement gets no response, these ids may have been written.
        let used = cache.take_ids(orders.len());
        let row = sqlx::query_file!(
            "src/orders/write.sql",
            &column(&sold, |(id, _)| *id),
            &column(&sold, |(_, product)| product.version),
            &column(&sold, |(_, product)| product.taken),
            &column(&sold, |(_, product)| product.created_at),
            &column(&orders, |order| order.id),
            &column(&orders, |order| order.header.customer_id),
            &column(&orders, |order| order.total.as_decimal()),
            OrderStatus::Created.as_str(),
            &column(&orders, |order| order.created_at),
            &column(&items, |(order_id, _)| *order_id),
            &column(&items, |(_, line)| line.product_id),
            &column(&items, |(_, line)| line.product_name.clone()),
            &column(&items, |(_, line)| line.category.clone()),
            &column(&items, |(_, line)| line.quantity),
            &column(&items, |(_, line)| line.price.as_decimal()),
            &column(&items, |(_, line)| line.stock_taken()),
            &entries.ids,
            &entries.topics,
            &entries.payloads,
            StoredResponse::parameter(&kept)?,
        )
        .fetch_one(connection)
        .await?;
        cache.add_ids(row.next_order_ids);
        if row.unchanged {
            for (product_id, product) in sold {
                cache.insert(product_id, product.clone().sold());
            }
        } else {
            cache.return_ids(used);
        }
        Ok(row.unchanged)
    }
}

/// One column of rows, as the parameter of a statement.
fn column<R, T>(rows: &[R], value: impl FnMut(&R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// The accepted order and its event.
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
        header: OrderHeader { customer_id: order.customer_id },
        status: OrderStatus::Created,
        items: accepted.lines,
        total: accepted.total,
        created_at: placed_at,
    };
    let payload = Payload::OrderCreated(OrderCreated {
        order_id: id,
        header: order.header.clone(),
        status: order.status,
        items: order.items.clone(),
        total: order.total,
    });
    (Placed { order, event_id: envelope.event_id }, Event { envelope, payload })
}

/// Returns those of the products that other transactions hold locked.
pub async fn locked_products(
    connection: &mut PgConnection,
    ids: &[i64],
) -> sqlx::Result<BTreeSet<i64>> {
    let locked = sqlx::query_scalar!(
        "WITH free AS (
             SELECT id FROM products WHERE id = ANY($1) FOR NO KEY UPDATE SKIP LOCKED
         )
         SELECT id FROM products WHERE id = ANY($1) AND id NOT IN (SELECT id FROM free)",
        ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(locked.into_iter().collect())
}

/// Locks the products of the orders, by ascending id.
async fn lock_products(connection: &mut PgConnection, orders: &[Arrived<'_>]) -> sqlx::Result<()> {
    let ids = product_ids(orders.iter().map(|(order, _)| *order));
    sqlx::query!("SELECT FROM products WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", &ids)
        .execute(connection)
        .await?;
    Ok(())
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
        let parameters = ["NULL"; 20].join(", ");
        let prepare = format!("PREPARE written AS {}", include_str!("write.sql"));
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
