//! Queries: by key, compared with a bare server, and concurrently with orders.

use crate::measured::{Measured, median_of, rate_row};
use crate::pgbench::Pgbench;
use crate::report::{Row, Target, Unit};
use crate::requests::{self, CUSTOMERS, PRODUCTS, orders};
use crate::service::Service;
use crate::session::Session;
use crate::shop::{Pipeline, Shop};
use anyhow::{Context, Result};
use futures::future::try_join;
use sqlx::Executor;
use std::process::Command;

/// Clients of queries by key.
const CLIENTS: usize = 64;

/// Clients of each side when queries and orders run concurrently.
const MIXED: usize = 16;

/// Measures queries concurrently with orders, then by key.
pub async fn run(session: &mut Session, shop: &Shop) -> Result<()> {
    measure_mixed(session, shop).await?;
    // Inserts the rows that are read, after the orders, which do not use them.
    shop.databases.read.pool.execute(include_str!("read_rows.sql")).await?;
    shop.databases.read.settle().await?;
    let mut query = shop.spawn_query()?.healthy().await?;
    measure_by_key(session, shop, &mut query).await?;
    measure_others(session, shop, &mut query).await
}

async fn measure_by_key(session: &mut Session, shop: &Shop, query: &mut Service) -> Result<()> {
    query.check_get("/api/analytics/customers/1/lifetime-value").await?;
    let mut bare = start_bare_server(session, shop)?;
    bare.check_get("/1").await?;
    let (mut limit, mut ours) = (Vec::new(), Vec::new());
    let reading = session.reading(CLIENTS);
    for _ in 0..session.pace.rounds {
        let requests = random_gets(CUSTOMERS, |id| format!("/{id}"));
        limit.push(reading.shown("bare server", &mut bare, requests).await?);
        let requests = random_gets(CUSTOMERS, lifetime_value);
        ours.push(reading.shown("lifetime value", query, requests).await?);
    }
    let p99 = |runs: &[Measured]| median_of(runs, |run| run.latencies.quantile(0.99));
    session.report.add(
        rate_row("lifetime value, 64 clients", &ours)
            .against(median_of(&limit, Measured::rate), "bare axum + sqlx")
            .target(Target::Ratio(2.0)),
    );
    session.report.add(
        Row::new("lifetime value, 64 clients, p99", p99(&ours), Unit::Milliseconds)
            .against(p99(&limit), "bare axum + sqlx")
            .target(Target::Figure(10.0)),
    );
    Ok(())
}

/// Measures other reads, without targets.
async fn measure_others(session: &mut Session, shop: &Shop, query: &mut Service) -> Result<()> {
    let reading = session.reading(CLIENTS);
    let requests = random_gets(PRODUCTS, |id| format!("/api/analytics/products/{id}/sales"));
    let sales = reading.shown("product sales", query, requests).await?;
    session.report.add(rate_row("product sales, 64 clients", &[sales]));
    let requests = random_gets(CUSTOMERS, |id| format!("/api/orders/{id}"));
    let orders = reading.shown("orders", query, requests).await?;
    session.report.add(rate_row("order by id, 64 clients", &[orders]));
    let pgbench = Pgbench::point_select(&session.servers, &shop.databases.read)?;
    let speed = pgbench.run(MIXED, session.pace).await?;
    let row = Row::new("point select by pgbench, 16 clients", speed.per_second, Unit::PerSecond);
    session.report.add(row);
    Ok(())
}

/// Measures orders alone and concurrently with reads, alternately.
async fn measure_mixed(session: &mut Session, shop: &Shop) -> Result<()> {
    let Pipeline { mut command, consumer: _consumer } = shop.start_pipeline().await?;
    let mut query = shop.spawn_query()?.healthy().await?;
    insert_view_customers(shop).await?;
    let (mut alone, mut beside, mut reads) = (Vec::new(), Vec::new(), Vec::new());
    let (placing, reading) = (session.placing(MIXED), session.reading(MIXED));
    for _ in 0..session.pace.rounds {
        alone.push(placing.shown("orders alone", &mut command, orders(PRODUCTS)).await?);
        shop.caught_up().await?;
        let (placed, read) = try_join(
            placing.shown("orders beside readers", &mut command, orders(PRODUCTS)),
            reading.run(&mut query, random_gets(CUSTOMERS, lifetime_value)),
        )
        .await?;
        beside.push(placed);
        reads.push(read);
        shop.caught_up().await?;
    }
    session.report.add(
        rate_row("orders beside 16 readers, 16 clients", &beside)
            .against(median_of(&alone, Measured::rate), "orders alone")
            .target(Target::Ratio(0.5)),
    );
    session.report.add(rate_row("reads beside 16 clients' orders", &reads));
    Ok(())
}

/// Inserts all customers into the view.
async fn insert_view_customers(shop: &Shop) -> Result<()> {
    sqlx::query(
        "INSERT INTO customer_ltv_view (customer_id)
         SELECT generate_series(1, $1)
         ON CONFLICT DO NOTHING",
    )
    .bind(i64::from(CUSTOMERS))
    .execute(&shop.databases.read.pool)
    .await?;
    Ok(())
}

fn start_bare_server(session: &Session, shop: &Shop) -> Result<Service> {
    let program = std::env::current_exe().context("where this program is")?;
    let url = shop.databases.read.url();
    let settings = [("READ_DATABASE_URL", url.as_str())];
    let mut command = Command::new(program);
    Service::start("bare-server", command.arg("--bare-server"), &settings, &session.servers.folder)
}

fn lifetime_value(customer: u32) -> String {
    format!("/api/analytics/customers/{customer}/lifetime-value")
}

/// Requests for random ids up to `highest`.
fn random_gets(highest: u32, path: impl Fn(u32) -> String) -> impl FnMut(&mut Vec<u8>) {
    let mut random = fastrand::Rng::with_seed(7);
    move |request| requests::get(request, &path(random.u32(1..=highest)))
}
