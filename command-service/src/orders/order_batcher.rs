//! The order batcher: concurrent orders share a transaction.
//!
//! While one transaction commits, the orders that arrive form the next batch. A batch is
//! never delayed to fill up. One transaction at a time means that orders for the same
//! product do not wait for its row lock, and one flush to disk serves a whole batch.
//!
//! Guarantees:
//!
//! - Arrival order decides which order gets the last unit.
//! - A refused order does not fail the other orders of its batch.
//! - Orders for a product that another transaction holds locked are placed one by one, each
//!   in a transaction of its own, so that they do not delay other orders. The same happens
//!   to all orders of a batch that fails on data.
//! - A transaction whose COMMIT got no response is never run again.

use super::order::{Placed, QueuedOrder};
use super::place::PlaceOrder;
use super::product_cache::ProductCache;
use super::rules::{PricePolicy, Refusal};
use super::transaction::{self, Failure, Outcomes};
use super::transaction_spans::TransactionSpans;
use crate::metrics::{ORDER_BATCH_DURATION, ORDER_BATCH_SIZE, ORDERS_ACCEPTED, ORDERS_REFUSED};
use crate::origin::Origin;
use crate::transactions::{outcome_unknown, refused};
use service_runtime::postgres::{self, is_contention, is_unavailable, timeout_error};
use service_runtime::problem::Problem;
use service_runtime::trace;
use shared_events::limits::MAX_ORDER_LINES;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// Maximum number of orders in a batch.
const MAX_BATCH: usize = 256;

/// Maximum number of lines in a batch of several orders: two of the largest orders.
const MAX_BATCH_LINES: usize = 2 * MAX_ORDER_LINES;

/// Orders that can be queued before clients wait for a place in the queue.
const QUEUE: usize = 1024;

/// Connections for orders outside a batch.
const SINGLE_ORDER_CONNECTIONS: u32 = 4;

/// Lock timeout of a batch. Only an operator or a failing command service holds the lock of
/// a product for longer.
const BATCH_LOCK_TIMEOUT: (&str, &str) = ("lock_timeout", "50ms");

/// Lock timeout of an order outside a batch.
const SINGLE_ORDER_LOCK_TIMEOUT: (&str, &str) = ("lock_timeout", "1s");

/// The database cancels a slower statement. Shorter than [`DEADLINE`], because a cancelled
/// statement had no effect, whereas the outcome of an abandoned one is unknown.
const STATEMENT_TIMEOUT: (&str, &str) = ("statement_timeout", "4s");

/// A connection that was idle for longer is pinged before a batch uses it: if a connection
/// breaks during the statement, the outcome is unknown. Consecutive batches, and clients that
/// send the next order as soon as they have a response, do not wait for the ping.
const PING_AFTER: Duration = Duration::from_millis(1);

/// A database that does not respond in this time is unreachable. The kernel reports a host
/// that has disappeared only after a quarter of an hour.
const DEADLINE: Duration = Duration::from_secs(5);

/// Accepts orders and places them in batches.
#[derive(Clone, Debug)]
pub struct OrderBatcher {
    queue: mpsc::Sender<QueuedOrder>,
}

/// The task that places the queued orders.
struct BatchTask {
    database: PgConnectOptions,
    /// The connection of batches, and when it was last used; none before the first order
    /// and after a failure.
    connection: Option<(PgConnection, Instant)>,
    cache: ProductCache,
    /// Connections of orders outside a batch.
    single_orders: PgPool,
    policy: PricePolicy,
    committed: Arc<Notify>,
}

impl OrderBatcher {
    /// Returns the batcher and its task. The task runs until `closing` is cancelled and all
    /// orders queued by then have an outcome. It notifies `committed` of every commit.
    pub fn open(
        database: &PgConnectOptions,
        policy: PricePolicy,
        committed: Arc<Notify>,
        closing: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (queue, queued) = mpsc::channel(QUEUE);
        let options = |name, lock_timeout| {
            postgres::named(database, name)
                .options(postgres::INDEX_SCANS_ONLY)
                .options([lock_timeout, STATEMENT_TIMEOUT])
        };
        let task = BatchTask {
            database: options("command-service orders", BATCH_LOCK_TIMEOUT),
            connection: None,
            cache: ProductCache::default(),
            single_orders: postgres::pool(
                options("command-service single orders", SINGLE_ORDER_LOCK_TIMEOUT),
                SINGLE_ORDER_CONNECTIONS,
            ),
            policy,
            committed,
        };
        (Self { queue }, task.run(queued, closing))
    }

    /// Places an order.
    ///
    /// # Errors
    /// The refusal; 503 if the database is unavailable or the outcome is unknown.
    pub async fn place(&self, order: PlaceOrder, origin: Origin) -> Result<Placed, Problem> {
        let (sender, outcome) = oneshot::channel();
        let queued = QueuedOrder { order, origin, outcome: sender };
        self.queue.send(queued).await.map_err(|_| Problem::stopping())?;
        outcome.await.map_err(|_| Problem::stopping())?
    }
}

impl BatchTask {
    async fn run(mut self, mut queued: mpsc::Receiver<QueuedOrder>, closing: CancellationToken) {
        // Orders beyond the limits of a batch remain for the next one.
        let mut waiting = Vec::with_capacity(MAX_BATCH);
        loop {
            if waiting.is_empty() {
                tokio::select! {
                    received = queued.recv_many(&mut waiting, MAX_BATCH) => {
                        if received == 0 {
                            return;
                        }
                    }
                    () = closing.cancelled(), if !queued.is_closed() => {
                        queued.close();
                        continue;
                    }
                }
            }
            while waiting.len() < MAX_BATCH
                && let Ok(order) = queued.try_recv()
            {
                waiting.push(order);
            }
            // Drop orders whose client has disconnected.
            waiting.retain(|order: &QueuedOrder| !order.outcome.is_closed());
            let batch = next_batch(&mut waiting);
            ORDER_BATCH_SIZE.record(batch.len() as f64);
            // Log lines of the batch name its first request.
            if let Some(Origin { trace, request_id, .. }) =
                batch.first().map(|order| order.origin.clone())
            {
                trace::scope(trace, request_id, self.place(batch)).await;
            }
        }
    }

    /// Places a batch. Orders that cannot be placed together are placed one by one.
    async fn place(&mut self, batch: Vec<QueuedOrder>) {
        let Some((batch, Failure::NotCommitted(error))) = self.place_batch(batch).await else {
            return;
        };
        debug!("orders of a batch are placed one by one: {error}");
        let locked = if is_contention(&error) { self.locked_products(&batch).await } else { None };
        let is_locked = |queued: &QueuedOrder| {
            let mut lines = queued.order.lines.iter();
            locked.as_ref().is_none_or(|locked| lines.any(|line| locked.contains(&line.product_id)))
        };
        let (single, batch): (Vec<_>, Vec<_>) = batch.into_iter().partition(is_locked);
        self.place_one_by_one(single);
        if let Some((batch, _)) = self.place_batch(batch).await {
            self.place_one_by_one(batch);
        }
    }

    /// The products of a batch that other transactions hold locked; none if they cannot be
    /// determined, for example because the whole table is locked.
    async fn locked_products(&mut self, batch: &[QueuedOrder]) -> Option<BTreeSet<i64>> {
        let (mut connection, _) = self.connection.take()?;
        let query = transaction::locked_products(&mut connection, batch);
        let locked = timeout(DEADLINE, query).await.ok()?.ok()?;
        self.connection = Some((connection, Instant::now()));
        Some(locked)
    }

    /// Places a batch in one transaction and sends the outcomes. Returns the batch if it was
    /// not placed and the reason may be one of its orders.
    async fn place_batch(
        &mut self,
        batch: Vec<QueuedOrder>,
    ) -> Option<(Vec<QueuedOrder>, Failure)> {
        if batch.is_empty() {
            return None;
        }
        let spans = TransactionSpans::begin(&batch);
        let began = Instant::now();
        let outcome = self.transaction(&batch).await;
        ORDER_BATCH_DURATION.record(began.elapsed().as_secs_f64());
        spans.end(outcome.as_ref().err().map(Into::into));
        match outcome {
            Err(Failure::NotCommitted(error)) if !is_unavailable(&error) => {
                Some((batch, Failure::NotCommitted(error)))
            }
            outcome => {
                respond(batch, outcome, &self.committed);
                None
            }
        }
    }

    /// Runs a transaction on the connection of batches. If that connection has broken while
    /// it was idle, a new one shows whether the database is unavailable.
    async fn transaction(&mut self, orders: &[QueuedOrder]) -> Result<Outcomes, Failure> {
        if let Some((mut connection, used_at)) = self.connection.take()
            && (used_at.elapsed() < PING_AFTER || is_alive(&mut connection).await)
        {
            match self.transaction_on(connection, orders).await {
                Err(Failure::NotCommitted(error))
                    if postgres::Failure::of(&error) == postgres::Failure::Unreachable => {}
                outcome => return outcome,
            }
        }
        let connecting = PgConnection::connect_with(&self.database);
        let connection = postgres::in_time(DEADLINE, connecting).await?;
        // This may be another database, for example one restored from a backup.
        self.cache = ProductCache::default();
        self.transaction_on(connection, orders).await
    }

    /// Runs a transaction on a connection, and keeps the connection if it is still usable.
    async fn transaction_on(
        &mut self,
        mut connection: PgConnection,
        orders: &[QueuedOrder],
    ) -> Result<Outcomes, Failure> {
        let placing = transaction::place(&mut connection, orders, self.policy, &mut self.cache);
        let outcome = timeout(DEADLINE, placing)
            .await
            .unwrap_or(Err(Failure::CommitUnknown(timeout_error(DEADLINE))));
        let is_usable = match &outcome {
            Ok(_) => true,
            Err(Failure::NotCommitted(error)) => {
                // The cache may be wrong, for example because the database was emptied.
                if !is_contention(error) {
                    self.cache = ProductCache::default();
                }
                !is_unavailable(error)
            }
            Err(Failure::CommitUnknown(_)) => false,
        };
        if is_usable {
            self.connection = Some((connection, Instant::now()));
        }
        outcome
    }

    /// Places orders in a transaction each, in tasks of their own.
    fn place_one_by_one(&self, orders: Vec<QueuedOrder>) {
        for queued in orders {
            let (pool, committed) = (self.single_orders.clone(), self.committed.clone());
            let Origin { trace, request_id, .. } = queued.origin.clone();
            let placing = place_single(pool, queued, self.policy, committed);
            tokio::spawn(trace::scope(trace, request_id, placing));
        }
    }
}

/// Takes the orders of the next batch: as many as the limit of lines allows, at least one.
fn next_batch(waiting: &mut Vec<QueuedOrder>) -> Vec<QueuedOrder> {
    let mut lines = 0;
    let fits = |queued: &&QueuedOrder| {
        lines += queued.order.lines.len();
        lines <= MAX_BATCH_LINES
    };
    let orders = waiting.iter().take_while(fits).count().max(1);
    waiting.drain(..orders.min(waiting.len())).collect()
}

async fn is_alive(connection: &mut PgConnection) -> bool {
    matches!(timeout(DEADLINE, connection.ping()).await, Ok(Ok(())))
}

/// Places one order in a transaction of its own.
async fn place_single(
    pool: PgPool,
    queued: QueuedOrder,
    policy: PricePolicy,
    committed: Arc<Notify>,
) {
    let batch = vec![queued];
    let spans = TransactionSpans::begin(&batch);
    let placing = async {
        let mut connection = pool.acquire().await?;
        let mut cache = ProductCache::default();
        let placing = transaction::place(&mut connection, &batch, policy, &mut cache);
        let placed = timeout(DEADLINE, placing).await;
        if placed.is_err() {
            connection.close_on_drop();
        }
        placed.unwrap_or(Err(Failure::CommitUnknown(timeout_error(DEADLINE))))
    };
    let placed = placing.await;
    spans.end(placed.as_ref().err().map(Into::into));
    respond(batch, placed, &committed);
}

/// Sends each client the outcome of its order, and wakes the publisher.
fn respond(batch: Vec<QueuedOrder>, outcomes: Result<Outcomes, Failure>, committed: &Notify) {
    match outcomes {
        Ok(outcomes) => {
            committed.notify_one();
            count(&outcomes);
            for (queued, outcome) in batch.into_iter().zip(outcomes) {
                let _ = queued.outcome.send(outcome.map_err(Problem::from));
            }
        }
        Err(failure) => {
            let problem = failure.problem();
            for queued in batch {
                let _ = queued.outcome.send(Err(problem.clone()));
            }
        }
    }
}

/// Counts accepted and refused orders, even if their clients have disconnected.
fn count(outcomes: &Outcomes) {
    let refusals = || outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    ORDERS_ACCEPTED.increment((outcomes.len() - refusals().count()) as u64);
    for reason in refusals().map(Refusal::reason) {
        ORDERS_REFUSED.of(reason).increment(1);
    }
}

impl Failure {
    /// The response to a client.
    fn problem(self) -> Problem {
        match self {
            // The pool of orders outside a batch; other commands have another pool.
            Self::NotCommitted(error @ sqlx::Error::PoolTimedOut) => {
                postgres::log(&error);
                Problem::unavailable("Service busy").detail(
                    "Too many orders wait for products that other transactions hold. The request \
                     had no effect; try again.",
                )
            }
            Self::NotCommitted(error) => refused(error),
            Self::CommitUnknown(error) => outcome_unknown(&error),
        }
    }
}
