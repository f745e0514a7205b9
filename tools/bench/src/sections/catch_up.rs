//! Processing of a backlog: events published per second, and events applied per second.

use crate::drive::{ClosedLoop, Until};
use crate::report::{Row, Target, Unit};
use crate::requests::{PRODUCTS, orders};
use crate::servers::NO_BROKER;
use crate::session::Session;
use crate::shop::{Shop, wait_until};
use anyhow::{Context, Result, ensure};
use kit::shown;
use std::time::Duration;

/// Time between two reads of the counts, each of which is a single row.
const POLL: Duration = Duration::from_millis(10);

/// Creates a backlog in the outbox, publishes it without a consumer, then applies it.
pub async fn run(session: &mut Session, shop: &Shop) -> Result<()> {
    let backlog = if session.pace.quick { 20_000 } else { 200_000 };
    let until = Until::Count(backlog);
    let placing = ClosedLoop { warm_up: Duration::ZERO, until, ..session.placing(64) };
    let mut command = shop.spawn_command(NO_BROKER)?.healthy().await?;
    let placed = placing.shown("orders, no broker", &mut command, orders(PRODUCTS)).await?;
    drop(command);
    shop.databases.write.settle().await?;

    let before = shop.events().await?;
    let wanted = before.published + before.unpublished;
    let row = publish(session, shop, before.published, wanted).await?;
    session.report.add(row.target(Target::Figure(15_000.0)).flagged(placed.flag()));
    let row = apply(shop, wanted).await?;
    session.report.add(row.target(Target::Figure(30_000.0)));
    Ok(())
}

async fn publish(session: &Session, shop: &Shop, before: i64, wanted: i64) -> Result<Row> {
    let _command = shop.spawn_command(&session.servers.broker)?.healthy().await?;
    let published = async || shop.published().await;
    let rate = shown("publishing", rate(before, wanted, published)).await?;
    let after = shop.events().await?;
    ensure!(after.unpublished == 0, "{} events were not published", after.unpublished);
    Ok(Row::new("published", rate, Unit::PerSecond))
}

async fn apply(shop: &Shop, wanted: i64) -> Result<Row> {
    let before = shop.applied().await?;
    let consumer = shop.spawn_consumer()?;
    let applied = async || shop.applied().await;
    let rate = shown("applying", rate(before, wanted, applied)).await?;
    consumer.healthy().await?;
    Ok(Row::new("applied", rate, Unit::PerSecond))
}

/// The rate at which a count rises, from when it is first seen above `before` until it is
/// `wanted`.
async fn rate(before: i64, wanted: i64, count: impl AsyncFn() -> Result<i64>) -> Result<f64> {
    let (first, since) = wait_until(POLL, &count, |done| *done > before).await?;
    let reaching = wait_until(POLL, &count, |done| *done >= wanted).await;
    let (last, until) = reaching.with_context(|| format!("waiting for {wanted} events"))?;
    Ok((last - first) as f64 / (until - since).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::time::Instant;

    #[tokio::test]
    async fn the_rate_counts_from_the_first_change() {
        let steps = Cell::new(0);
        let begun = Instant::now();
        let count = async || {
            steps.set(steps.get() + 1);
            Ok(if steps.get() < 3 { 100 } else { 100 * steps.get() })
        };
        let rate = rate(100, 1_000, count).await.unwrap();
        // From 300, at the third read, to 1,000, at the tenth. The fourth follows at once.
        assert!(rate > 0.0 && rate <= 700.0 / 0.06, "{rate}");
        assert!(begun.elapsed() >= 8 * POLL);
    }
}
