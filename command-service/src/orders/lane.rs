//! The order lane: concurrent orders share a transaction.
//!
//! While one transaction commits, the orders that arrive gather; they are the
//! next one. Nobody waits for company: an order that comes alone goes alone.
//! One transaction at a time means that orders for the same product do not
//! queue for its row lock, and one flush to disk serves them all.
//!
//! Guarantees: arrival order decides who gets the last piece. A refused order
//! does not fail its neighbours. Orders for a product that somebody else holds
//! locked are run one by one beside the lane, where they hold up nobody; so are
//! all of a batch that fails on data. A transaction whose COMMIT got no answer
//! is never run again.

use super::place::PlaceOrder;
use super::remembered::{Remembered, product_ids};
use super::rules::{PricePolicy, Refusal};
use super::transaction::{self, Arrived, Failure, Outcomes, Placed};
use super::transaction_spans::TransactionSpans;
use crate::metrics::{ORDER_BATCH_DURATION, ORDER_BATCH_SIZE, ORDERS_ACCEPTED, ORDERS_REFUSED};
use crate::request::Origin;
use crate::transactions::{outcome_unknown, refused};
use service_runtime::postgres::{self, is_absence, is_contention, no_answer};
use service_runtime::problem::Problem;
use service_runtime::{request_id, trace};
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

/// Most orders of one transaction.
const MAX_BATCH: usize = 256;

/// Most lines of one transaction of several orders: two of the largest orders.
const MAX_BATCH_LINES: usize = 2 * MAX_ORDER_LINES;

/// Orders that may wait for the lane before clients wait for a place.
const QUEUE: usize = 1024;

/// Connections for orders by themselves.
const ALONE_CONNECTIONS: u32 = 4;

/// How long the lane waits for a lock: whoever holds a product's for longer is
/// an operator, or another command service in trouble.
const PATIENCE_TOGETHER: (&str, &str) = ("lock_timeout", "50ms");

/// The database ends a statement that takes longer. Sooner than the deadline: what was
/// ended had no effect, and of what nobody waits for any more none can tell.
const STATEMENT_TIMEOUT: (&str, &str) = ("statement_timeout", "4s");

/// How long an order by itself waits.
const PATIENCE_ALONE: (&str, &str) = ("lock_timeout", "1s");

/// A connection that was not used for longer is asked whether it is still alive
/// before orders are entrusted to it: of one that breaks while it writes, nobody
/// knows what became of them. Where batch follows upon batch, or a client sends the
/// next order as soon as it is answered, nobody waits for that.
const RESTED: Duration = Duration::from_millis(1);

/// A database that has not answered by then is taken for lost. Of a host that
/// vanished, the kernel would tell us only after a quarter of an hour.
const DEADLINE: Duration = Duration::from_secs(5);

/// Where orders are handed in.
#[derive(Clone, Debug)]
pub struct Lane {
    queue: mpsc::Sender<Placement>,
}

/// An order on its way.
struct Placement {
    order: PlaceOrder,
    origin: Origin,
    answer: oneshot::Sender<Result<Placed, Problem>>,
}

/// The lane's other end.
struct Driver {
    database: PgConnectOptions,
    /// The lane's own connection, and when it was last used; none before the first
    /// order, and after one failed.
    connection: Option<(PgConnection, Instant)>,
    remembered: Remembered,
    /// For orders by themselves.
    alone: PgPool,
    policy: PricePolicy,
    committed: Arc<Notify>,
}

impl Lane {
    /// Opens a lane. The future drives it, until `closing` is cancelled and all
    /// orders that arrived by then are answered; `committed` is notified of
    /// every commit.
    pub fn open(
        database: &PgConnectOptions,
        policy: PricePolicy,
        committed: Arc<Notify>,
        closing: CancellationToken,
    ) -> (Self, impl Future<Output = anyhow::Result<()>> + Send + use<>) {
        let (queue, arrivals) = mpsc::channel(QUEUE);
        let together = postgres::named(database, "command-service orders");
        let alone = postgres::named(database, "command-service lone orders");
        let driver = Driver {
            database: together
                .options(postgres::KEY_BY_KEY)
                .options([PATIENCE_TOGETHER, STATEMENT_TIMEOUT]),
            connection: None,
            remembered: Remembered::default(),
            alone: postgres::pool(
                alone.options(postgres::KEY_BY_KEY).options([PATIENCE_ALONE, STATEMENT_TIMEOUT]),
                ALONE_CONNECTIONS,
            ),
            policy,
            committed,
        };
        (Self { queue }, driver.run(arrivals, closing))
    }

    /// Places an order.
    ///
    /// # Errors
    /// The refusal; or 503 if the database is away, or was lost while it
    /// committed.
    pub async fn place(&self, order: PlaceOrder, origin: Origin) -> Result<Placed, Problem> {
        let (answer, outcome) = oneshot::channel();
        let gone =
            || Problem::unavailable("Service unavailable").detail("The service is stopping.");
        self.queue.send(Placement { order, origin, answer }).await.map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }
}

impl Driver {
    async fn run(
        mut self,
        mut arrivals: mpsc::Receiver<Placement>,
        closing: CancellationToken,
    ) -> anyhow::Result<()> {
        // Orders beyond the limits of a transaction wait for the next one.
        let mut waiting = Vec::with_capacity(MAX_BATCH);
        loop {
            if waiting.is_empty() {
                tokio::select! {
                    arrived = arrivals.recv_many(&mut waiting, MAX_BATCH) => {
                        if arrived == 0 {
                            return Ok(());
                        }
                    }
                    () = closing.cancelled(), if !arrivals.is_closed() => {
                        arrivals.close();
                        continue;
                    }
                }
            }
            while waiting.len() < MAX_BATCH
                && let Ok(placement) = arrivals.try_recv()
            {
                waiting.push(placement);
            }
            // Drop orders whose client is known to have disconnected.
            waiting.retain(|placement: &Placement| !placement.answer.is_closed());
            let batch = next_batch(&mut waiting);
            ORDER_BATCH_SIZE.record(batch.len() as f64);
            // Log lines of the batch name its first request.
            if let Some(Origin { trace, request_id, .. }) =
                batch.first().map(|placement| placement.origin.clone())
            {
                let serving = trace::scope(trace, self.serve(batch));
                request_id::scope(request_id, serving).await;
            }
        }
    }

    /// Places a batch, and sees to those that cannot go together.
    async fn serve(&mut self, batch: Vec<Placement>) {
        let Some((batch, Failure::NotCommitted(error))) = self.place_together(batch).await else {
            return;
        };
        debug!("orders of a batch are placed one by one: {error}");
        let held = if is_contention(&error) { self.held_products(&batch).await } else { None };
        let is_held = |placement: &Placement| {
            let mut lines = placement.order.lines.iter();
            held.as_ref().is_none_or(|held| lines.any(|line| held.contains(&line.product_id)))
        };
        let (alone, together): (Vec<_>, Vec<_>) = batch.into_iter().partition(is_held);
        self.place_each(alone);
        if let Some((batch, _)) = self.place_together(together).await {
            self.place_each(batch);
        }
    }

    /// Those products of a batch that somebody else holds locked; none if that
    /// cannot be told, as when the whole table is.
    async fn held_products(&mut self, batch: &[Placement]) -> Option<BTreeSet<i64>> {
        let (mut connection, _) = self.connection.take()?;
        let ids = product_ids(batch.iter().map(|placement| &placement.order));
        let asking = transaction::held_products(&mut connection, &ids);
        let held = timeout(DEADLINE, asking).await.ok()?.ok()?;
        self.connection = Some((connection, Instant::now()));
        Some(held)
    }

    /// Places a batch in one transaction and answers it. Gives it back if it
    /// was not placed, for a reason that may lie in one of its orders.
    async fn place_together(&mut self, batch: Vec<Placement>) -> Option<(Vec<Placement>, Failure)> {
        if batch.is_empty() {
            return None;
        }
        let orders: Vec<_> = batch.iter().map(|order| (&order.order, &order.origin)).collect();
        let spans = TransactionSpans::begin(orders.iter().map(|(_, origin)| *origin), orders.len());
        let began = Instant::now();
        let outcome = self.transaction(&orders).await;
        ORDER_BATCH_DURATION.record(began.elapsed().as_secs_f64());
        spans.end(outcome.as_ref().err().map(Failure::summary));
        match outcome {
            Ok(outcomes) => {
                self.committed.notify_one();
                count(&outcomes);
                for (placement, outcome) in batch.into_iter().zip(outcomes) {
                    let _ = placement.answer.send(outcome.map_err(Problem::from));
                }
                None
            }
            Err(Failure::NotCommitted(error)) if !is_absence(&error) => {
                Some((batch, Failure::NotCommitted(error)))
            }
            Err(failure) => {
                for (placement, problem) in batch.into_iter().zip(failure.problems()) {
                    let _ = placement.answer.send(Err(problem));
                }
                None
            }
        }
    }

    /// Runs a transaction on the lane's connection, or on a new one if that has
    /// died while it was idle: only a new one tells whether the database is away.
    async fn transaction(&mut self, orders: &[Arrived<'_>]) -> Result<Outcomes, Failure> {
        if let Some((mut connection, used)) = self.connection.take()
            && (used.elapsed() < RESTED || is_alive(&mut connection).await)
        {
            match self.transaction_on(connection, orders).await {
                Err(Failure::NotCommitted(error))
                    if postgres::Failure::of(&error) == postgres::Failure::Unreachable => {}
                outcome => return outcome,
            }
        }
        let connecting = PgConnection::connect_with(&self.database);
        let connection = timeout(DEADLINE, connecting).await.map_err(|_| no_answer(DEADLINE))??;
        // It may be another database now, one restored from a backup, say.
        self.remembered = Remembered::default();
        self.transaction_on(connection, orders).await
    }

    /// Runs a transaction on a connection, which is kept for the next one if
    /// all is well with it.
    async fn transaction_on(
        &mut self,
        mut connection: PgConnection,
        orders: &[Arrived<'_>],
    ) -> Result<Outcomes, Failure> {
        let placing =
            transaction::place(&mut connection, orders, self.policy, &mut self.remembered);
        let outcome = timeout(DEADLINE, placing)
            .await
            .unwrap_or(Err(Failure::CommitUnknown(no_answer(DEADLINE))));
        let is_well = match &outcome {
            Ok(_) => true,
            Err(Failure::NotCommitted(error)) => {
                // It may lie in what is remembered: of a database that was emptied
                // under way, say.
                if !is_contention(error) {
                    self.remembered = Remembered::default();
                }
                !is_absence(error)
            }
            Err(Failure::CommitUnknown(_)) => false,
        };
        if is_well {
            self.connection = Some((connection, Instant::now()));
        }
        outcome
    }

    /// Places orders one by one, beside the lane.
    fn place_each(&self, batch: Vec<Placement>) {
        for placement in batch {
            let (pool, committed) = (self.alone.clone(), self.committed.clone());
            let Origin { trace, request_id, .. } = placement.origin.clone();
            let placing = place_alone(pool, placement, self.policy, committed);
            tokio::spawn(request_id::scope(request_id, trace::scope(trace, placing)));
        }
    }
}

/// The orders of the next transaction: as many as its limit of lines allows, at least
/// one.
fn next_batch(waiting: &mut Vec<Placement>) -> Vec<Placement> {
    let mut lines = 0;
    let fits = |placement: &&Placement| {
        lines += placement.order.lines.len();
        lines <= MAX_BATCH_LINES
    };
    let orders = waiting.iter().take_while(fits).count().max(1);
    waiting.drain(..orders.min(waiting.len())).collect()
}

async fn is_alive(connection: &mut PgConnection) -> bool {
    matches!(timeout(DEADLINE, connection.ping()).await, Ok(Ok(())))
}

async fn place_alone(
    pool: PgPool,
    Placement { order, origin, answer }: Placement,
    policy: PricePolicy,
    committed: Arc<Notify>,
) {
    let spans = TransactionSpans::begin(std::iter::once(&origin), 1);
    let placing = async {
        let mut connection = pool.acquire().await?;
        let orders = [(&order, &origin)];
        let mut remembered = Remembered::default();
        let placing = transaction::place(&mut connection, &orders, policy, &mut remembered);
        let placed = timeout(DEADLINE, placing).await;
        if placed.is_err() {
            connection.close_on_drop();
        }
        placed.unwrap_or(Err(Failure::CommitUnknown(no_answer(DEADLINE))))
    };
    let outcome = placing.await;
    spans.end(outcome.as_ref().err().map(Failure::summary));
    let outcome = match outcome {
        Ok(outcomes) => {
            committed.notify_one();
            count(&outcomes);
            let gone = || Problem::internal(&"an order got no outcome");
            outcomes.into_iter().next().ok_or_else(gone).and_then(|o| o.map_err(Problem::from))
        }
        Err(failure) => Err(failure.problem()),
    };
    let _ = answer.send(outcome);
}

/// Counts what became of orders, whether or not their clients wait for it.
fn count(outcomes: &Outcomes) {
    let refusals = || outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    ORDERS_ACCEPTED.add(outcomes.len() - refusals().count());
    for reason in refusals().map(Refusal::reason) {
        ORDERS_REFUSED.add_to(reason, 1);
    }
}

impl Failure {
    /// What traces say.
    fn summary(&self) -> &'static str {
        match self {
            Self::NotCommitted(_) => "not placed",
            Self::CommitUnknown(_) => "outcome unknown",
        }
    }

    /// What a client is told.
    fn problem(self) -> Problem {
        match self {
            // The pool for orders outside a batch; other commands have another pool.
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

    /// The same for each client of a batch.
    fn problems(self) -> impl Iterator<Item = Problem> {
        std::iter::repeat(self.problem())
    }
}
