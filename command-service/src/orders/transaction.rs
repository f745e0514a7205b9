//! The transaction that places orders.

use super::order::{self, Order, Placed, QueuedOrder};
use super::place::PlaceOrder;
use super::product_cache::{ProductCache, product_ids};
use super::rules::{PricePolicy, ProductSnapshots, Refusal, decide};
use crate::idempotency::StoredResponse;
use crate::metrics::ORDER_BATCHES_REPEATED;
use crate::origin::Origin;
use chrono::{DateTime, Utc};
use service_runtime::postgres::may_have_committed;
use shared_events::{Event, Money, OrderCreated, OrderLine, OrderStatus, Payload, now};
use sqlx::{Connection, PgConnection};
use std::collections::BTreeSet;
use strum::IntoStaticStr;
use trace_context::TraceParent;

/// The outcome of each order, in the order of arrival.
pub type Outcomes = Vec<Result<Placed, Refusal>>;

/// Why a transaction placed none of its orders. Traces have its short name.
#[derive(Debug, thiserror::Error, IntoStaticStr)]
pub enum Failure {
    /// Nothing was changed.
    #[error(transparent)]
    #[strum(serialize = "not placed")]
    NotCommitted(#[from] sqlx::Error),
    /// The response to COMMIT was lost: the outcome is unknown.
    #[error("the outcome of the commit is unknown: {0}")]
    #[strum(serialize = "outcome unknown")]
    CommitUnknown(sqlx::Error),
}

/// The decisions about a batch, and what is to be written.
struct Draft {
    outcomes: Outcomes,
    /// Responses to be stored: those of accepted orders with an idempotency key.
    responses: Vec<StoredResponse>,
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
    orders: &[QueuedOrder],
    policy: PricePolicy,
    cache: &mut ProductCache,
) -> Result<Outcomes, Failure> {
    let draft = match Draft::from_cache(orders, policy, cache) {
        Some(draft) => draft,
        None => Draft::from_database(connection, orders, policy, cache).await?,
    };
    if let Some(outcomes) = draft.write(connection, cache).await.map_err(Failure::of_commit)? {
        return Ok(outcomes);
    }
    ORDER_BATCHES_REPEATED.increment(1);
    let mut transaction = connection.begin().await?;
    lock_products(&mut transaction, orders).await?;
    let draft = Draft::from_database(&mut transaction, orders, policy, cache).await?;
    let changed = || sqlx::Error::Decode("locked products have changed".into());
    let outcomes = draft.write(&mut transaction, cache).await?.ok_or_else(changed)?;
    transaction.commit().await.map_err(Failure::of_commit)?;
    Ok(outcomes)
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
        orders: &[QueuedOrder],
        policy: PricePolicy,
        cache: &ProductCache,
    ) -> Option<Self> {
        if !cache.suffices(orders) {
            return None;
        }
        let draft = Self::decide(orders, policy, cache).ok()?;
        draft.outcomes.iter().all(Result::is_ok).then_some(draft)
    }

    /// Reads the products and decides by them.
    async fn from_database(
        connection: &mut PgConnection,
        orders: &[QueuedOrder],
        policy: PricePolicy,
        cache: &mut ProductCache,
    ) -> sqlx::Result<Self> {
        cache.read(connection, orders).await?;
        Self::decide(orders, policy, cache)
    }

    fn decide(
        orders: &[QueuedOrder],
        policy: PricePolicy,
        cache: &ProductCache,
    ) -> sqlx::Result<Self> {
        let mut draft = Self {
            outcomes: Vec::with_capacity(orders.len()),
            responses: Vec::new(),
            events: Vec::with_capacity(orders.len()),
            products: cache.snapshots(orders),
        };
        let mut order_ids = cache.order_ids.iter().copied();
        let placed_at = now();
        for QueuedOrder { order, origin: Origin { trace, key, .. }, .. } in orders {
            let accepted = match decide(&order.lines, &mut draft.products, policy) {
                Ok(accepted) => accepted,
                Err(refusal) => {
                    draft.outcomes.push(Err(refusal));
                    continue;
                }
            };
            let id = order_ids.next().ok_or(sqlx::Error::RowNotFound)?;
            let (placed, event) = record(id, order, accepted, placed_at, *trace);
            if let Some(key) = key {
                let response = placed
                    .response()
                    .map_err(|_| sqlx::Error::Encode("a response has no JSON form".into()))?;
                draft.responses.extend(StoredResponse::new(key, response));
            }
            draft.events.push(event);
            draft.outcomes.push(Ok(placed));
        }
        Ok(draft)
    }

    /// Writes the accepted orders and returns the outcomes; none if a product has changed: then
    /// nothing was written.
    async fn write(
        self,
        connection: &mut PgConnection,
        cache: &mut ProductCache,
    ) -> sqlx::Result<Option<Outcomes>> {
        let Self { outcomes, responses, events, products } = self;
        if events.is_empty() {
            return Ok(Some(outcomes));
        }
        let orders: Vec<&Order> = outcomes.iter().flatten().map(|placed| &placed.order).collect();
        // If the statement gets no response, these ids may have been written.
        let used: Vec<i64> = cache.order_ids.drain(..orders.len()).collect();
        let written = order::write(connection, &orders, &products, &events, &responses).await?;
        cache.order_ids.extend(written.next_order_ids);
        if !written.unchanged {
            cache.order_ids.splice(..0, used);
            return Ok(None);
        }
        cache.products.extend(products.into_iter().map(|(id, product)| (id, product.sold())));
        Ok(Some(outcomes))
    }
}

/// The accepted order and its event.
fn record(
    id: i64,
    order: &PlaceOrder,
    (items, total): (Vec<OrderLine>, Money),
    created_at: DateTime<Utc>,
    trace: TraceParent,
) -> (Placed, Event) {
    let (header, status) = (order.header(), OrderStatus::Created);
    let order = Order {
        order_id: id,
        id,
        header,
        status,
        items,
        total,
        refunded_total: Money::ZERO,
        reason: None,
        created_at,
    };
    let Order { header, items, .. } = order.clone();
    let payload = OrderCreated { order_id: id, header, status, items, total };
    let event = Event::new(1, created_at, trace, Payload::OrderCreated(payload));
    (Placed { order, event_id: event.envelope.event_id }, event)
}

/// Returns those of the products of the orders that other transactions hold locked.
pub async fn locked_products(
    connection: &mut PgConnection,
    orders: &[QueuedOrder],
) -> sqlx::Result<BTreeSet<i64>> {
    let locked = sqlx::query_scalar!(
        "WITH free AS (
             SELECT id FROM products WHERE id = ANY($1) FOR NO KEY UPDATE SKIP LOCKED
         )
         SELECT id FROM products WHERE id = ANY($1) AND id NOT IN (SELECT id FROM free)",
        &product_ids(orders),
    )
    .fetch_all(connection)
    .await?;
    Ok(locked.into_iter().collect())
}

/// Locks the products of the orders, by ascending id.
async fn lock_products(connection: &mut PgConnection, orders: &[QueuedOrder]) -> sqlx::Result<()> {
    let ids = product_ids(orders);
    sqlx::query!("SELECT FROM products WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", &ids)
        .execute(connection)
        .await?;
    Ok(())
}
