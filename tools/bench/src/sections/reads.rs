//! Queries: by key, compared with a bare server, and concurrently with orders.

use crate::drive::{ClosedLoop, Until};
use crate::figures::median;
use crate::measured::{Measured, each, flags};
use crate::pgbench::Pgbench;
use crate::report::{Row, Target, Unit};
use crate::requests::{self, CUSTOMERS, PRODUCTS};
use crate::service::Service;
use crate::session::Session;
use crate::shop::{Placing, Shop, check_get};
use anyhow::{Context, Result};
use kit::Progress;
use sqlx::Executor;
use std::process::Command;

/// Clients of queries by key.
const CLIENTS: usize = 64;

/// Clients of each side when queries and orders run concurrently.
const MIXED: usize = 16;

/// Measures queries concurrently with orders, then by key.
pub async fn run(session: &mut Session) -> Result<()> {
    let shop = session.open_shop().await?;
    measure_mixed(session, &shop).await?;
    // Inserts the rows that are read, after the orders, which do not use them.
    shop.databases.read.pool.execute(include_str!("read_rows.sql")).await?;
    shop.databases.read.settle().await?;
    measure_by_key(session, &shop).await?;
    session.close_shop(shop).await
}

async fn measure_by_key(session: &mut Session, shop: &Shop) -> Result<()> {
    let mut query = shop.start_query().await?;
    check_get(&mut query, "/api/analytics/customers/1/lifetime-value").await?;
    let mut bare = start_bare_server(session, shop)?;
    check_get(&mut bare, "/1").await?;
    let (mut limit, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..session.pace.rounds {
        limit.push(read(session, "bare server", &mut bare, CLIENTS, CUSTOMERS, bare_path).await?);
        let name = "lifetime value";
        ours.push(read(session, name, &mut query, CLIENTS, CUSTOMERS, lifetime_value).await?);
    }
    let p99 = |runs: &[Measured]| median(&each(runs, |run| run.quantile(0.99)));
    session.report.add(
        rate("lifetime value, 64 clients", &ours)
            .against(median(&each(&limit, Measured::rate)), "bare axum + sqlx")
            .target(Target::RatioAtLeast(2.0)),
    );
    session.report.add(
        Row::new("lifetime value, 64 clients, p99", p99(&ours), Unit::Milliseconds)
            .against(p99(&limit), "bare axum + sqlx")
            .target(Target::AtMost(10.0)),
    );
    measure_others(session, shop, &mut query).await
}

/// Measures other reads, without targets.
async fn measure_others(session: &mut Session, shop: &Shop, query: &mut Service) -> Result<()> {
    let sales = read(session, "product sales", query, CLIENTS, PRODUCTS, product_sales).await?;
    session.report.add(rate("product sales, 64 clients", &[sales]));
    let orders = read(session, "orders", query, CLIENTS, CUSTOMERS, order).await?;
    session.report.add(rate("order by id, 64 clients", &[orders]));
    let pgbench = Pgbench::point_select(&session.servers, &shop.databases.read)?;
    let (warm_up, measure) = (session.pace.warm_up, session.pace.measure);
    let progress = Progress::begin("point select, pgbench", 0);
    let speed = progress.during(pgbench.run(MIXED, warm_up, measure)).await?;
    let row = Row::new("point select by pgbench, 16 clients", speed.per_second, Unit::PerSecond);
    session.report.add(row);
    Ok(())
}

/// Measures orders alone and concurrently with reads, alternately.
async fn measure_mixed(session: &mut Session, shop: &Shop) -> Result<()> {
    let mut pipeline = shop.start_pipeline().await?;
    let mut query = shop.start_query().await?;
    insert_view_customers(shop).await?;
    let (mut alone, mut beside, mut reads) = (Vec::new(), Vec::new(), Vec::new());
    let (warm_up, until) = (session.pace.warm_up, Until::Time(session.pace.measure));
    let placing = |name| Placing { name, connections: MIXED, products: PRODUCTS, warm_up, until };
    for _ in 0..session.pace.rounds {
        alone.push(placing("orders alone, 16 clients").run(&mut pipeline.command).await?);
        shop.caught_up().await?;
        let placing = placing("orders beside readers, 16 clients");
        let reading = reading(session, &mut query, MIXED).await?;
        let (orders, read) = futures::future::try_join(
            placing.run(&mut pipeline.command),
            reading.run(random_gets(CUSTOMERS, lifetime_value)),
        )
        .await?;
        beside.push(orders);
        reads.push(read);
        shop.caught_up().await?;
    }
    session.report.add(
        rate("orders beside 16 readers, 16 clients", &beside)
            .against(median(&each(&alone, Measured::rate)), "orders alone")
            .target(Target::RatioAtLeast(0.5)),
    );
    session.report.add(rate("reads beside 16 clients' orders", &reads));
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
    Service::start("bare-server", command.arg("bare-server"), &settings, &session.servers.folder)
}

/// Writes the request for an id.
type Write = fn(&mut Vec<u8>, u32);

fn lifetime_value(request: &mut Vec<u8>, id: u32) {
    requests::get(request, format_args!("/api/analytics/customers/{id}/lifetime-value"));
}

fn product_sales(request: &mut Vec<u8>, id: u32) {
    requests::get(request, format_args!("/api/analytics/products/{id}/sales"));
}

fn order(request: &mut Vec<u8>, id: u32) {
    requests::get(request, format_args!("/api/orders/{id}"));
}

fn bare_path(request: &mut Vec<u8>, id: u32) {
    requests::get(request, format_args!("/{id}"));
}

/// Requests for random ids up to `highest`.
fn random_gets(highest: u32, write: Write) -> impl FnMut(&mut Vec<u8>) {
    let mut random = fastrand::Rng::with_seed(7);
    move |request| write(request, random.u32(1..=highest))
}

async fn reading(
    session: &Session,
    service: &mut Service,
    connections: usize,
) -> Result<ClosedLoop> {
    Ok(ClosedLoop {
        address: service.address("api").await?,
        connections,
        warm_up: session.pace.warm_up,
        until: Until::Time(session.pace.measure),
        expected: 200,
    })
}

async fn read(
    session: &Session,
    name: &str,
    service: &mut Service,
    connections: usize,
    highest: u32,
    write: Write,
) -> Result<Measured> {
    let reading = reading(session, service, connections).await?;
    let progress = Progress::begin(&format!("{name}, {connections} clients"), 0);
    let running = async {
        let measured = reading.run(random_gets(highest, write)).await?;
        progress.remark(format!("{:.0} reads/s", measured.rate()));
        Ok(measured)
    };
    progress.during(running).await
}

fn rate(what: &str, runs: &[Measured]) -> Row {
    let rate = median(&each(runs, Measured::rate));
    Row::new(what, rate, Unit::PerSecond).flagged(flags(runs))
}
