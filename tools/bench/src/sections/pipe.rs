//! Orders from the request to the views, at the highest rate, until all are visible.

use super::intake::ONE_STATEMENT;
use crate::cpu::Spent;
use crate::databases::Databases;
use crate::drive::{ClosedLoop, Until};
use crate::figures::median;
use crate::measured::{Measured, rate_row};
use crate::report::{Report, Row, Target, Unit};
use crate::requests::{PRODUCTS, orders};
use crate::service::Service;
use crate::session::Session;
use crate::shop::{Pipeline, Shop, one, wait_until};
use anyhow::{Context, Result};
use kit::shown;
use std::slice;
use std::time::{Duration, Instant};

const CLIENTS: usize = 64;

/// Time between two reads of the views.
const POLL: Duration = Duration::from_millis(5);

/// The total of all orders, as text, so that money is exact.
const TOTAL: &str = "SELECT trim_scale(sum(total))::text FROM orders";

/// The sums of the views that must equal the total: of products, customers and orders.
const SUMS: &str = "
    SELECT ARRAY[
        (SELECT trim_scale(sum(total_revenue))::text FROM product_sales_view),
        (SELECT trim_scale(sum(total_spent))::text FROM customer_ltv_view),
        (SELECT trim_scale(sum(total))::text FROM orders_read)
    ]";

/// The stock of every product, as one text.
const STOCK: &str = "SELECT md5(string_agg(id || ' ' || stock, ',' ORDER BY id)) FROM products";

/// The same for the view.
const STOCK_SHOWN: &str = "
    SELECT md5(string_agg(product_id || ' ' || stock, ',' ORDER BY product_id))
    FROM products_read_view";

/// Places orders for some time, then waits for the views and compares them.
pub async fn run(session: &mut Session, shop: &Shop) -> Result<()> {
    let Some(pgbench) = session.open_limit().await? else {
        let sustained = measure(session, shop).await?;
        session.report.add(sustained);
        return Ok(());
    };
    // The limit is measured directly before and after.
    let before = pgbench.run(CLIENTS, session.pace).await?.per_second;
    let sustained = measure(session, shop).await?;
    let after = pgbench.run(CLIENTS, session.pace).await.map(|speed| speed.per_second);
    // The figure is reported even if the second measurement of the limit fails.
    let limit = after.as_ref().map_or(before, |after| median([before, *after]));
    session.report.add(sustained.against(limit, ONE_STATEMENT).target(Target::Ratio(1.4)));
    after?;
    pgbench.database.delete().await
}

/// Reports all figures except the sustained rate, which it returns: accepted orders per second,
/// from the first request until all are visible.
async fn measure(session: &mut Session, shop: &Shop) -> Result<Row> {
    let Pipeline { mut command, consumer } = shop.start_pipeline().await?;
    let query = shop.spawn_query()?.healthy().await?;
    let (before, orders_before) = (shop.applied().await?, orders_read(shop).await?);
    let parts = shop.parts(&[&command, &consumer, &query]);
    let spent = Spent::now(&parts);
    let until = Until::Time(session.pace.seconds(60, 10));
    let placing = ClosedLoop { warm_up: Duration::ZERO, until, ..session.placing(CLIENTS) };
    let measured = placing.shown("orders", &mut command, orders(PRODUCTS)).await?;
    let accepted = i64::try_from(measured.accepted_in_all)?;
    let is_complete = |applied: &i64| *applied >= before + accepted;
    let applying = wait_until(POLL, async || shop.applied().await, is_complete);
    let wanted = || format!("waiting for {accepted} events");
    let (_, complete) = shown("views catching up", applying).await.with_context(wanted)?;
    let spent = Spent::now(&parts).since(&spent);
    shop.caught_up().await?;

    report_speed(&mut session.report, &measured, complete);
    report_memory(&mut session.report, [&command, &consumer, &query]);
    session.report.remark(format!("64 clients\n\n{}", spent.per_order(measured.accepted_in_all)));
    let visible = orders_read(shop).await? - orders_before;
    if visible != accepted {
        session.report.fail(format!("{accepted} orders accepted, {visible} new in orders_read"));
    }
    shown("comparing views", compare_views(&mut session.report, shop)).await?;
    let sustained = accepted as f64 / (complete - measured.begun).as_secs_f64();
    Ok(Row::new("sustained, 64 clients", sustained, Unit::PerSecond).flagged(measured.flag()))
}

/// Reports the rate of accepted orders, and how long it took until they were visible.
fn report_speed(report: &mut Report, measured: &Measured, complete: Instant) {
    let behind = complete.saturating_duration_since(measured.ended).as_secs_f64();
    report.add(rate_row("accepted, 64 clients", slice::from_ref(measured)));
    report.add(
        Row::new("last response until all visible", behind, Unit::Seconds)
            .target(Target::Figure(0.5)),
    );
    for (what, quantile) in [("POST latency, p50", 0.5), ("POST latency, p99", 0.99)] {
        report.add(Row::new(what, measured.latencies.quantile(quantile), Unit::Milliseconds));
    }
}

fn report_memory(report: &mut Report, services: [&Service; 3]) {
    for service in services {
        let (name, _) = service.part();
        let row =
            Row::new(format!("{name}, peak memory"), service.memory("VmHWM"), Unit::Megabytes);
        report.add(row.target(Target::Figure(100.0)));
    }
}

async fn orders_read(shop: &Shop) -> Result<i64> {
    one(&shop.databases.read, "SELECT count(*) FROM orders_read").await
}

async fn compare_views(report: &mut Report, shop: &Shop) -> Result<()> {
    let Databases { write, read } = &shop.databases;
    let total: Option<String> = sqlx::query_scalar(TOTAL).fetch_one(&write.pool).await?;
    let sums: Vec<Option<String>> = sqlx::query_scalar(SUMS).fetch_one(&read.pool).await?;
    let stock: Option<String> = sqlx::query_scalar(STOCK).fetch_one(&write.pool).await?;
    let stock_shown: Option<String> = sqlx::query_scalar(STOCK_SHOWN).fetch_one(&read.pool).await?;
    if sums.iter().any(|sum| *sum != total) {
        report.fail(format!("the total of orders is {total:?}, the views' sums are {sums:?}"));
    } else if stock != stock_shown {
        report.fail("the stock of products differs".to_owned());
    } else {
        report.remark("views agree to the last decimal".to_owned());
    }
    Ok(())
}
