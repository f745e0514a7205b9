//! The process manager that cancels orders which nobody pays.
//!
//! An order that is still CREATED when its time to pay is over is cancelled by the same functions
//! as a cancellation by a client: its units return to stock, and the event has the reason
//! [`PAYMENT_TIMEOUT`].
//!
//! Guarantees:
//!
//! - The clock of the database decides. It sets `orders.stored_at`, so the clocks of the services
//!   have no influence.
//! - Each order is cancelled once. One command service leads, see [`crate::leadership`]; the row
//!   of the order is locked, and its new status commits together with the event.
//! - Payment and expiry of the same order exclude each other by the lock of the order's row. The
//!   second finds the status that the first has set.
//! - An order that cannot be cancelled, for example because another transaction holds a product
//!   locked, does not delay others: after a batch failed because of its orders, they are cancelled
//!   one by one, and those that fail are skipped.
//! - A backlog is worked off in batches of bounded size, which take at most 1/[`TIME_SHARE`] of
//!   the time. They slow down with the database, so that new orders come first.

use super::order::{Locked, lock_all};
use super::status_change::{restore_stock, store_status};
use crate::leadership::{STANDBY_INTERVAL, Task};
use crate::metrics::{ORDER_EXPIRY_OVERDUE, ORDERS_EXPIRED};
use crate::outbox::{self, OutboxLimiter};
use chrono::{DateTime, Utc};
use service_runtime::health::DependencyStatus;
use service_runtime::postgres::{self, in_time, is_unavailable};
use service_runtime::retry::Backoff;
use shared_events::limits::MAX_ORDER_LINES;
use shared_events::{Event, OrderStatus, Topic, now};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use trace_context::TraceParent;
use tracing::info;

/// The reason of the cancellation.
pub const PAYMENT_TIMEOUT: &str = "PAYMENT_TIMEOUT";

/// Maximum number of orders in a batch.
const MAX_BATCH: i64 = 50;

/// Maximum number of lines in a batch of several orders.
const MAX_BATCH_LINES: i64 = MAX_ORDER_LINES as i64;

/// Batches take at most one part in this many of the time.
const TIME_SHARE: u32 = 10;

/// Interval of looking for expired orders when there is no backlog.
const INTERVAL: Duration = Duration::from_secs(1);

/// Interval of looking for orders that were skipped because they were locked. In between, the
/// search continues where it ended, because index entries of paid orders remain until VACUUM.
const RESTART_INTERVAL: Duration = Duration::from_secs(10);

/// Interval of log lines while there is a backlog.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// A database that does not respond in this time is unreachable.
const DEADLINE: Duration = Duration::from_secs(35);

/// Cancels the unpaid orders of one write database.
#[derive(Debug)]
pub struct Expiry {
    pub database: PgConnectOptions,
    /// Time to pay an order.
    pub timeout: Duration,
    pub outbox_limiter: OutboxLimiter,
    /// Wakes the publisher after a commit.
    pub committed: Arc<Notify>,
    pub health: DependencyStatus,
    pub shutdown: CancellationToken,
}

/// Where the search continues.
#[derive(Debug)]
struct Search {
    timeout: Duration,
    /// Time and id of the last order found.
    after: (DateTime<Utc>, i64),
    /// Number of orders to cancel one by one, after a batch failed.
    one_by_one: i64,
}

/// An order to cancel.
struct Expired {
    id: i64,
    stored_at: DateTime<Utc>,
    overdue_seconds: f64,
    lines: i64,
}

impl Expiry {
    /// Cancels unpaid orders until shutdown, and reconnects after failures.
    pub async fn run(self) {
        let mut backoff = Backoff::default();
        while let Err(error) = self.lead(&mut backoff).await {
            ORDER_EXPIRY_OVERDUE.set(0.0);
            postgres::report(&error);
            self.health.down("unpaid orders cannot be cancelled");
            if !backoff.wait(&self.shutdown).await {
                return;
            }
        }
    }

    /// Waits to become the leader, then cancels unpaid orders until shutdown.
    async fn lead(&self, backoff: &mut Backoff) -> sqlx::Result<()> {
        let mut connection = in_time(DEADLINE, Task::Expiry.connect(&self.database)).await?;
        while !in_time(DEADLINE, Task::Expiry.try_acquire(&mut connection)).await? {
            self.health.up();
            if !self.pause(STANDBY_INTERVAL).await {
                return Ok(());
            }
        }
        backoff.reset();
        let mut search = Search::new(self.timeout);
        let (mut started_at, mut logged_at) = (Instant::now(), Instant::now());
        let mut cancelled = 0;
        loop {
            let began = Instant::now();
            if started_at.elapsed() >= RESTART_INTERVAL {
                (search, started_at) = (Search::new(self.timeout), began);
            }
            let orders = self.cancel_next(&mut connection, &mut search).await?;
            self.health.up();
            cancelled += orders.unwrap_or(0);
            if cancelled > 0 && (orders.is_none() || logged_at.elapsed() >= LOG_INTERVAL) {
                info!(orders = cancelled, "cancelled unpaid orders");
                (cancelled, logged_at) = (0, Instant::now());
            }
            let pause = orders.map_or(INTERVAL, |_| began.elapsed() * (TIME_SHARE - 1));
            if !self.pause(pause).await {
                return Ok(());
            }
        }
    }

    /// Cancels a batch, unless the outbox is full, and returns the number of orders. None if there
    /// is nothing to do.
    async fn cancel_next(
        &self,
        connection: &mut PgConnection,
        search: &mut Search,
    ) -> sqlx::Result<Option<usize>> {
        if self.outbox_limiter.check(Topic::Orders).is_err() {
            return Ok(None);
        }
        let orders = in_time(DEADLINE, search.cancel_next(connection)).await?;
        if orders.is_some() {
            self.committed.notify_one();
        }
        Ok(orders)
    }

    /// Returns false after the shutdown.
    async fn pause(&self, duration: Duration) -> bool {
        self.shutdown.run_until_cancelled(sleep(duration)).await.is_some()
    }
}

impl Search {
    const START: (DateTime<Utc>, i64) = (DateTime::UNIX_EPOCH, 0);

    const fn new(timeout: Duration) -> Self {
        Self { timeout, after: Self::START, one_by_one: 0 }
    }

    /// Cancels the next batch of expired orders in a transaction, and returns their number: 0 if it
    /// failed because of its orders, and none if no order is left.
    ///
    /// # Errors
    /// The database is unavailable.
    async fn cancel_next(&mut self, connection: &mut PgConnection) -> sqlx::Result<Option<usize>> {
        let mut transaction = connection.begin().await?;
        let expired = self.expired(&mut transaction).await?;
        if self.after == Self::START {
            ORDER_EXPIRY_OVERDUE.set(expired.first().map_or(0.0, |order| order.overdue_seconds));
        }
        // A transaction that is dropped would hold its locks until the connection is used again.
        let Some(last) = expired.last() else {
            transaction.rollback().await?;
            return Ok(None);
        };
        let ids: Vec<i64> = expired.iter().map(|order| order.id).collect();
        let cancelled = match cancel(&mut transaction, &ids).await {
            Ok(()) => {
                transaction.commit().await?;
                ids.len()
            }
            Err(error) if is_unavailable(&error) => return Err(error),
            Err(error) => {
                transaction.rollback().await?;
                if ids.len() > 1 {
                    self.one_by_one = MAX_BATCH;
                    return Ok(Some(0));
                }
                // A search from the start finds the order again.
                postgres::report(&error);
                0
            }
        };
        self.after = (last.stored_at, last.id);
        ORDERS_EXPIRED.increment(cancelled as u64);
        Ok(Some(cancelled))
    }

    /// Locks the next expired orders, up to the limits of a batch.
    async fn expired(&mut self, connection: &mut PgConnection) -> sqlx::Result<Vec<Expired>> {
        let limit = if self.one_by_one > 0 { 1 } else { MAX_BATCH };
        self.one_by_one = (self.one_by_one - 1).max(0);
        let mut expired = sqlx::query_file_as!(
            Expired,
            "src/orders/expired.sql",
            self.timeout.as_secs_f64(),
            self.after.0,
            self.after.1,
            limit,
        )
        .fetch_all(connection)
        .await?;
        let mut lines = 0;
        let fitting = expired.iter().take_while(|order| {
            lines += order.lines;
            lines <= MAX_BATCH_LINES
        });
        let count = fitting.count().max(1);
        expired.truncate(count);
        Ok(expired)
    }
}

/// Cancels locked orders, which are all CREATED.
async fn cancel(connection: &mut PgConnection, ids: &[i64]) -> sqlx::Result<()> {
    let mut orders = lock_all(connection, ids).await?;
    let old_statuses: Vec<OrderStatus> = orders
        .iter_mut()
        .map(|order| order.set_status(OrderStatus::Cancelled, Some(PAYMENT_TIMEOUT.to_owned())))
        .collect();
    restore_stock(connection, &mut orders).await?;
    store_status(connection, &orders).await?;
    let changed_at = now();
    let event = |(order, old_status): (&Locked, OrderStatus)| {
        order.status_event(old_status, None, changed_at, TraceParent::generate())
    };
    let events: Vec<Event> = orders.iter().zip(old_statuses).map(event).collect();
    outbox::append(connection, &events, None).await
}

#[cfg(test)]
mod database_tests {
    use super::*;
    use sqlx::{AssertSqlSafe, PgPool};

    const HOUR: Duration = Duration::from_secs(3_600);

    /// 120 orders of 2 units, which were stored two hours ago, and one that was stored now.
    const ORDERS: &str = "
        INSERT INTO products (id, name, category, price, stock) VALUES (1, 'Tea', 'Food', 5, 100);
        INSERT INTO customers (id) VALUES (7);
        INSERT INTO orders (id, customer_id, total, status, stored_at)
        SELECT id, 7, 10, 'CREATED', now() - interval '2 hours' FROM generate_series(1, 120) AS id
        UNION ALL SELECT 121, 7, 10, 'CREATED', now();
        INSERT INTO order_items
            (order_id, product_id, product_name, category, quantity, price, stock_taken)
        SELECT id, 1, 'Tea', 'Food', 2, 5, 2 FROM orders";

    async fn fill(pool: &PgPool, sql: &'static str) {
        sqlx::raw_sql(sql).execute(pool).await.unwrap();
    }

    async fn count(pool: &PgPool, rows: &str) -> i64 {
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM {rows}"));
        sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
    }

    /// The sizes of all batches.
    async fn cancel_all(search: &mut Search, connection: &mut PgConnection) -> Vec<usize> {
        let mut batches = Vec::new();
        loop {
            match search.cancel_next(connection).await.unwrap() {
                None => return batches,
                Some(orders) => batches.push(orders),
            }
        }
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn expired_orders_are_cancelled_once_in_batches(pool: PgPool) {
        fill(&pool, ORDERS).await;
        let mut connection = pool.acquire().await.unwrap();
        let batches = cancel_all(&mut Search::new(HOUR), &mut connection).await;
        assert_eq!(batches, [50, 50, 20]);
        let cancelled = "orders WHERE status = 'CANCELLED' AND version = 2 \
                         AND reason = 'PAYMENT_TIMEOUT'";
        assert_eq!(count(&pool, cancelled).await, 120);
        assert_eq!(count(&pool, "orders WHERE status = 'CREATED' AND id = 121").await, 1);
        assert_eq!(count(&pool, "order_items WHERE stock_returned = 2").await, 120);
        assert_eq!(count(&pool, "products WHERE stock = 340").await, 1);
        let events = "outbox WHERE payload @> \
                      '{\"eventType\": \"OrderStatusUpdated\", \"aggregateVersion\": 2, \
                        \"newStatus\": \"CANCELLED\", \"reason\": \"PAYMENT_TIMEOUT\"}'";
        assert_eq!(count(&pool, events).await, 120);
        assert!(cancel_all(&mut Search::new(HOUR), &mut connection).await.is_empty());
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn an_order_that_is_being_paid_is_skipped_and_then_seen_as_paid(pool: PgPool) {
        fill(&pool, ORDERS).await;
        let mut connection = pool.acquire().await.unwrap();
        let mut payment = pool.begin().await.unwrap();
        let pay = "UPDATE orders SET status = 'PAID' WHERE id IN (1, 3)";
        sqlx::raw_sql(pay).execute(&mut *payment).await.unwrap();
        let batches = cancel_all(&mut Search::new(HOUR), &mut connection).await;
        assert_eq!(batches, [50, 50, 18]);
        payment.commit().await.unwrap();
        assert!(cancel_all(&mut Search::new(HOUR), &mut connection).await.is_empty());
        assert_eq!(count(&pool, "orders WHERE status = 'PAID'").await, 2);
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn a_locked_product_delays_only_its_own_orders(pool: PgPool) {
        fill(&pool, ORDERS).await;
        let other = "INSERT INTO products (id, name, category, price, stock)
                VALUES (2, 'Cup', 'Food', 5, 100);
            UPDATE order_items SET product_id = 2 WHERE order_id = 3";
        fill(&pool, other).await;
        let mut connection = Task::Expiry.connect(&pool.connect_options()).await.unwrap();
        let mut lock = pool.begin().await.unwrap();
        let product = "SELECT FROM products WHERE id = 2 FOR UPDATE";
        sqlx::raw_sql(product).execute(&mut *lock).await.unwrap();
        let batches = cancel_all(&mut Search::new(HOUR), &mut connection).await;
        assert_eq!(batches[..4], [0, 1, 1, 0], "{batches:?}");
        assert_eq!(batches.iter().sum::<usize>(), 119);
        lock.rollback().await.unwrap();
        assert_eq!(cancel_all(&mut Search::new(HOUR), &mut connection).await, [1]);
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn a_batch_has_a_limited_number_of_lines(pool: PgPool) {
        fill(&pool, ORDERS).await;
        let lines = "INSERT INTO order_items
                (order_id, product_id, product_name, category, quantity, price, stock_taken)
            SELECT id, 1, 'Tea', 'Food', 1, 0, 0
            FROM (VALUES (1, 1999), (2, 1500), (3, 490)) AS large (id, lines),
                 generate_series(1, lines)";
        fill(&pool, lines).await;
        let mut connection = pool.acquire().await.unwrap();
        let batches = cancel_all(&mut Search::new(HOUR), &mut connection).await;
        assert_eq!(batches, [1, 10, 50, 50, 9]);
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn an_order_that_the_database_refuses_delays_no_other(pool: PgPool) {
        fill(&pool, ORDERS).await;
        let refuse = "ALTER TABLE orders
            ADD CONSTRAINT refused CHECK (id <> 3 OR status = 'CREATED')";
        fill(&pool, refuse).await;
        let mut connection = pool.acquire().await.unwrap();
        let batches = cancel_all(&mut Search::new(HOUR), &mut connection).await;
        assert_eq!(batches.iter().sum::<usize>(), 119);
        assert_eq!(count(&pool, "orders WHERE status = 'CREATED'").await, 2);
        fill(&pool, "ALTER TABLE orders DROP CONSTRAINT refused").await;
        assert_eq!(cancel_all(&mut Search::new(HOUR), &mut connection).await, [1]);
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn an_unavailable_database_ends_the_search(pool: PgPool) {
        fill(&pool, ORDERS).await;
        let mut connection = pool.acquire().await.unwrap();
        let mut search = Search::new(HOUR);
        fill(&pool, "ALTER TABLE outbox RENAME TO moved").await;
        search.cancel_next(&mut connection).await.unwrap_err();
        connection.close().await.unwrap();
        assert_eq!(count(&pool, "orders WHERE status = 'CANCELLED'").await, 0);
        fill(&pool, "ALTER TABLE moved RENAME TO outbox").await;
        let mut connection = pool.acquire().await.unwrap();
        assert_eq!(cancel_all(&mut search, &mut connection).await, [50, 50, 20]);
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn the_search_uses_the_index_of_unpaid_orders(pool: PgPool) {
        let mut connection = Task::Expiry.connect(&pool.connect_options()).await.unwrap();
        let prepare = concat!("PREPARE expired AS ", include_str!("expired.sql"));
        sqlx::raw_sql(prepare).execute(&mut connection).await.unwrap();
        let explain = "EXPLAIN EXECUTE expired (60, '2026-01-01Z', 0, 50)";
        let rows = sqlx::raw_sql(explain).fetch_all(&mut connection).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| sqlx::Row::get(row, 0)).collect();
        let text = plan.join("\n");
        assert!(text.contains("Index Scan using orders_unpaid"), "{text}");
        assert!(!text.contains("Sort"), "{text}");
    }
}
