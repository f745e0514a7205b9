//! Databases with many orders. SQL statements create the same orders in both databases, as if all
//! events had been published and applied.

use crate::databases::{Database, Databases};
use crate::pgbench::insert_catalogue;
use crate::requests::{CATEGORIES, PRODUCTS, STOCK};
use crate::servers::Servers;
use crate::shop::Shop;
use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::try_join;
use kit::{Progress, shown};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use std::cell::Cell;
use std::rc::Rc;

/// The age of the first order.
const SINCE: TimeDelta = TimeDelta::days(10);

/// Orders of one statement.
const BATCH: u32 = 100_000;

/// The statements that fill one of the two databases.
#[derive(Debug)]
struct Kind {
    /// Tables whose indexes are created afterwards.
    tables: &'static [&'static str],
    /// Inserts the orders from $1 to $2.
    batch: &'static str,
    /// The statements after all orders are inserted.
    rest: &'static str,
}

const WRITE: Kind = Kind {
    tables: &["orders", "order_items", "outbox"],
    batch: include_str!("write_batch.sql"),
    rest: include_str!("write_rest.sql"),
};

const READ: Kind = Kind {
    tables: &["orders_read", "processed_events", "hourly_product_sales_view"],
    batch: include_str!("read_batch.sql"),
    rest: include_str!("read_rest.sql"),
};

/// Creates a pair of databases with this many orders.
pub async fn databases(servers: &Rc<Servers>, orders: u32) -> Result<Databases> {
    let databases = Databases::create(servers).await?;
    // The services apply their migrations when they start.
    let shop = Shop::of(servers, databases.clone()).await?;
    shown("migrations", async { shop.start_pipeline().await.map(drop) }).await?;
    shown("products and customers", insert_products(&databases)).await?;
    let rows = 2 * u64::from(orders);
    let (progress, done) = (Progress::begin("orders", rows), Cell::new(0));
    let inserted = |count: u32| {
        done.set(done.get() + u64::from(count));
        progress.set(done.get(), rows);
    };
    let started = Utc::now() - SINCE;
    let write = fill(&databases.write, &WRITE, orders, started, inserted);
    let read = fill(&databases.read, &READ, orders, started, inserted);
    let (write, read) = progress.during(try_join(write, read)).await?;
    shown("views, indexes and counts", try_join(write.finish(&WRITE), read.finish(&READ))).await?;
    shown("vacuum", databases.settle()).await?;
    Ok(databases)
}

/// Inserts products on both sides and customers, without events.
async fn insert_products(databases: &Databases) -> Result<()> {
    insert_catalogue(&databases.write).await?;
    sqlx::query(include_str!("read_products.sql"))
        .bind(i64::from(PRODUCTS))
        .bind(i64::from(CATEGORIES))
        .bind(i64::from(STOCK))
        .execute(&databases.read.pool)
        .await?;
    Ok(())
}

/// A database with the orders, whose indexes are to be created.
struct Filled {
    connection: PgConnection,
    indexes: Vec<String>,
}

/// Inserts the orders 1 to `orders`, evenly spread over [`SINCE`] from `started` on, with their
/// lines, events and view rows. The session has a temporary table of the orders. `inserted` gets
/// the number of orders of each batch.
async fn fill(
    database: &Database,
    kind: &Kind,
    orders: u32,
    started: DateTime<Utc>,
    inserted: impl Fn(u32),
) -> Result<Filled> {
    let options = database.options.clone().options([
        // The rows satisfy the foreign keys; checking them would take most of the time.
        ("session_replication_role", "replica"),
        ("work_mem", "256MB"),
        ("maintenance_work_mem", "512MB"),
    ]);
    let mut connection = options.connect().await.context("cannot connect")?;
    sqlx::raw_sql(include_str!("lines.sql")).execute(&mut connection).await?;
    // Seconds between two orders.
    let step = SINCE.as_seconds_f64() / f64::from(orders);
    sqlx::query("INSERT INTO pg_temp.filling (orders, started, step) VALUES ($1, $2, $3)")
        .bind(i64::from(orders))
        .bind(started)
        .bind(step)
        .execute(&mut connection)
        .await?;
    let indexes = drop_indexes(&mut connection, kind.tables).await?;
    for first in (1..=orders).step_by(BATCH as usize) {
        let last = first.saturating_add(BATCH - 1).min(orders);
        sqlx::query(kind.batch)
            .bind(i64::from(first))
            .bind(i64::from(last))
            .execute(&mut connection)
            .await
            .with_context(|| format!("orders {first} to {last}"))?;
        inserted(last - first + 1);
    }
    Ok(Filled { connection, indexes })
}

impl Filled {
    async fn finish(mut self, kind: &Kind) -> Result<()> {
        sqlx::raw_sql(kind.rest).execute(&mut self.connection).await?;
        for index in self.indexes {
            sqlx::raw_sql(AssertSqlSafe(index)).execute(&mut self.connection).await?;
        }
        Ok(self.connection.close().await?)
    }
}

/// Drops the indexes that are not unique or partial. Returns the statements that create them.
async fn drop_indexes(connection: &mut PgConnection, tables: &[&str]) -> Result<Vec<String>> {
    let indexes: Vec<(String, String)> = sqlx::query_as(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid)
         FROM pg_index
         WHERE indrelid = ANY($1::text[]::regclass[]) AND NOT indisunique AND indpred IS NULL",
    )
    .bind(tables)
    .fetch_all(&mut *connection)
    .await?;
    for (name, _) in &indexes {
        let drop = AssertSqlSafe(format!("DROP INDEX {name}"));
        sqlx::raw_sql(drop).execute(&mut *connection).await?;
    }
    Ok(indexes.into_iter().map(|(_, definition)| definition).collect())
}
