//! Databases with many orders. SQL statements create the same orders in both databases, as if all
//! events had been published and applied.

mod side;

use crate::databases::Databases;
use crate::pgbench::insert_catalogue;
use crate::requests::{CATEGORIES, PRODUCTS, STOCK};
use crate::servers::Servers;
use crate::shop::Shop;
use anyhow::Result;
use chrono::Utc;
use futures::future::try_join;
use kit::{Progress, shown};
use side::{READ, SINCE, WRITE, fill};
use std::cell::Cell;
use std::rc::Rc;

/// Creates a pair of databases with this many orders.
pub async fn databases(servers: &Rc<Servers>, orders: u32) -> Result<Databases> {
    let databases = Databases::create(servers).await?;
    migrate(servers, &databases).await?;
    shown("products and customers", insert_products(&databases)).await?;
    let rows = 2 * u64::from(orders);
    let (progress, done) = (Progress::begin("orders, views and indexes", rows), Cell::new(0));
    let inserted = |count: u32| {
        done.set(done.get() + u64::from(count));
        progress.set(done.get(), rows);
    };
    let started = Utc::now() - SINCE;
    let write = fill(&databases.write, &WRITE, orders, started, inserted);
    let read = fill(&databases.read, &READ, orders, started, inserted);
    progress.during(try_join(write, read)).await?;
    shown("vacuum", databases.settle()).await?;
    Ok(databases)
}

/// Starts the services, which apply their migrations.
async fn migrate(servers: &Rc<Servers>, databases: &Databases) -> Result<()> {
    let shop = Shop::of(servers, databases.clone()).await?;
    shown("migrations", async { shop.start_pipeline().await.map(drop) }).await
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
