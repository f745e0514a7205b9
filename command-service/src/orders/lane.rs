//! The order lane: concurrent orders share a transaction.
//!
//! While one transaction commits, the orders that arrive gather; they are the
//! next one. Nobody waits for company: an order that comes alone goes alone.
//! One transaction at a time means that orders for the same product do not
//! queue for its row lock, and one flush to disk serves them all.
//!
//! Guarantees: arrival order decides who gets the last piece. A refused order
//! does not fail its neighbours. If somebody else holds a lock, or the data of
//! one order fails the transaction, each order is run again by itself beside
//! the lane, where it holds up nobody. A transaction whose COMMIT got no answer
//! is never run again.

use super::place::PlaceOrder;
use super::rules::PricePolicy;
use super::transaction::{self, Failure, OrderIds, Placed};
use crate::commit::outcome_unknown;
use service_runtime::problem::Problem;
use shared_events::TraceParent;
use sqlx::PgPool;
use std::sync::Arc;
use tokio::sync::{Notify, mpsc, oneshot};
use tracing::{debug, warn};

/// Most orders of one transaction.
const MAX_BATCH: usize = 256;

/// Orders that may wait for the lane before clients wait for a place.
const QUEUE: usize = 1024;

/// How the lane begins: whoever holds a product's lock for longer than this is
/// an operator, or another command service in trouble.
const BEGIN_TOGETHER: &str = "BEGIN; SET LOCAL lock_timeout = '50ms'";

/// How an order by itself begins: it can wait, see `postgres::named`.
const BEGIN_ALONE: &str = "BEGIN";

/// Where orders are handed in.
#[derive(Clone, Debug)]
pub struct Lane {
    queue: mpsc::Sender<Placement>,
}

/// An order on its way.
struct Placement {
    order: PlaceOrder,
    trace: TraceParent,
    answer: oneshot::Sender<Result<Placed, Problem>>,
}

/// The lane's other end.
struct Driver {
    /// For the lane, one connection.
    lane_pool: PgPool,
    /// For orders by themselves.
    pool: PgPool,
    policy: PricePolicy,
    committed: Arc<Notify>,
    ids: OrderIds,
}

impl Lane {
    /// Opens a lane. The future drives it, until all lanes' ends are dropped.
    pub fn open(
        lane_pool: PgPool,
        pool: PgPool,
        policy: PricePolicy,
        committed: Arc<Notify>,
    ) -> (Self, impl Future<Output = anyhow::Result<()>> + Send) {
        let (queue, arrivals) = mpsc::channel(QUEUE);
        let driver = Driver { lane_pool, pool, policy, committed, ids: OrderIds::default() };
        (Self { queue }, driver.run(arrivals))
    }

    /// Places an order.
    ///
    /// # Errors
    /// The refusal; or 503 if the database is away, or was lost while it
    /// committed.
    pub async fn place(&self, order: PlaceOrder, trace: TraceParent) -> Result<Placed, Problem> {
        let (answer, outcome) = oneshot::channel();
        let gone =
            || Problem::unavailable("Service unavailable").detail("The service is stopping.");
        self.queue.send(Placement { order, trace, answer }).await.map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }
}

impl Driver {
    async fn run(mut self, mut arrivals: mpsc::Receiver<Placement>) -> anyhow::Result<()> {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        while arrivals.recv_many(&mut batch, MAX_BATCH).await > 0 {
            // Whoever left before the lane came to his order does not want it.
            batch.retain(|placement: &Placement| !placement.answer.is_closed());
            if !batch.is_empty() {
                metrics::histogram!("order_batch_size").record(batch.len() as f64);
                self.place_together(std::mem::take(&mut batch)).await;
            }
        }
        Ok(())
    }

    async fn place_together(&mut self, batch: Vec<Placement>) {
        let orders: Vec<(&PlaceOrder, &TraceParent)> =
            batch.iter().map(|placement| (&placement.order, &placement.trace)).collect();
        let placing = transaction::place(
            &self.lane_pool,
            BEGIN_TOGETHER,
            &orders,
            &mut self.ids,
            self.policy,
        );
        match placing.await {
            Ok(outcomes) => {
                self.committed.notify_one();
                for (placement, outcome) in batch.into_iter().zip(outcomes) {
                    let _ = placement.answer.send(outcome.map_err(Problem::from));
                }
            }
            Err(Failure::BeforeCommit(error)) => {
                debug!("orders go one by one: {error}");
                for placement in batch {
                    let alone = place_alone(
                        self.pool.clone(),
                        placement,
                        self.policy,
                        self.committed.clone(),
                    );
                    tokio::spawn(alone);
                }
            }
            Err(error @ Failure::CommitUnknown(_)) => {
                warn!("{error}");
                for placement in batch {
                    let _ = placement.answer.send(Err(outcome_unknown()));
                }
            }
        }
    }
}

async fn place_alone(
    pool: PgPool,
    Placement { order, trace, answer }: Placement,
    policy: PricePolicy,
    committed: Arc<Notify>,
) {
    let mut ids = OrderIds::default();
    let placing =
        transaction::place(&pool, BEGIN_ALONE, &[(&order, &trace)], &mut ids, policy).await;
    let outcome = match placing {
        Ok(outcomes) => {
            committed.notify_one();
            let gone = || Problem::internal(&"an order got no outcome");
            outcomes.into_iter().next().ok_or_else(gone).and_then(|o| o.map_err(Problem::from))
        }
        Err(Failure::BeforeCommit(error)) => Err(error.into()),
        Err(Failure::CommitUnknown(error)) => {
            warn!("the outcome of a commit is unknown: {error}");
            Err(outcome_unknown())
        }
    };
    let _ = answer.send(outcome);
}
