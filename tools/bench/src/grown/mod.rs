//! Databases with many orders. SQL statements create the same orders in both databases, as if all
//! events had been published and applied.

mod side;

use crate::databases::Databases;
use crate::pgbench::insert_customers;
use crate::requests::{CATEGORIES, PRODUCTS, STOCK};
use crate::servers::Servers;
use crate::shop::Shop;
use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::try_join;
use kit::{Progress, grouped, shown};
use side::Side;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

/// The age of the first order.
const SINCE: TimeDelta = TimeDelta::days(10);

/// Orders of one statement.
const BATCH: u32 = 100_000;

/// The orders to create: 1 to `orders`, evenly spread over time.
#[derive(Clone, Copy, Debug)]
struct Filling {
    orders: u32,
    started: DateTime<Utc>,
}

impl Filling {
    /// Seconds between two orders.
    fn step(self) -> f64 {
        SINCE.as_seconds_f64() / f64::from(self.orders)
    }
}

/// Creates a pair of databases with this many orders.
pub async fn databases(servers: &Rc<Servers>, orders: u32) -> Result<Databases> {
    let databases = Databases::create(servers).await?;
    migrate(servers, &databases).await?;
    let filling = Filling { orders, started: Utc::now() - SINCE };
    shown("products and customers", insert_catalogue(&databases)).await?;
    let mut write = Side::begin(&databases.write, &side::WRITE, filling).await?;
    let mut read = Side::begin(&databases.read, &side::READ, filling).await?;
    insert_orders(&mut write, &mut read, orders).await?;
    shown("views, indexes and counts", try_join(write.finish(), read.finish())).await?;
    shown("vacuum", databases.settle()).await?;
    Ok(databases)
}

/// Starts the services, which apply their migrations.
async fn migrate(servers: &Rc<Servers>, databases: &Databases) -> Result<()> {
    let shop = Shop::of(servers, databases.clone()).await?;
    shown("migrations", async { shop.start_pipeline().await.map(drop) }).await
}

/// Inserts products and customers on both sides, without events.
async fn insert_catalogue(databases: &Databases) -> Result<()> {
    insert_customers(&databases.write).await?;
    sqlx::query(include_str!("../insert_products.sql"))
        .bind(i64::from(PRODUCTS))
        .bind(i64::from(CATEGORIES))
        .bind(i32::try_from(STOCK)?)
        .execute(&databases.write.pool)
        .await?;
    sqlx::query(include_str!("read_products.sql"))
        .bind(i64::from(PRODUCTS))
        .bind(i64::from(CATEGORIES))
        .bind(i64::from(STOCK))
        .execute(&databases.read.pool)
        .await?;
    Ok(())
}

/// Inserts the orders on both sides concurrently.
async fn insert_orders(write: &mut Side, read: &mut Side, orders: u32) -> Result<()> {
    let progress = Progress::begin("orders, written and read side", 0);
    let (begun, done) = (Instant::now(), [Cell::new(0), Cell::new(0)]);
    let report = || {
        let [write, read] = [done[0].get(), done[1].get()];
        let rate = f64::from(write + read) / begun.elapsed().as_secs_f64().max(0.001);
        progress.remark(format!(
            "{} and {} of {}, {} rows of orders/s",
            grouped(write.into()),
            grouped(read.into()),
            grouped(orders.into()),
            grouped(rate as u64)
        ));
    };
    let fill = async |side: &mut Side, done: &Cell<u32>| {
        while done.get() < orders {
            let last = done.get().saturating_add(BATCH).min(orders);
            side.insert(done.get() + 1, last).await?;
            done.set(last);
            report();
        }
        Ok::<_, anyhow::Error>(())
    };
    progress.during(try_join(fill(write, &done[0]), fill(read, &done[1]))).await.map(drop)
}
