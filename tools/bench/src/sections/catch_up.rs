//! Processing of a backlog: events published per second, and events applied per second.

use crate::drive::Until;
use crate::report::{Row, Target, Unit};
use crate::requests::PRODUCTS;
use crate::session::Session;
use crate::shop::{Placing, Shop};
use anyhow::{Result, ensure};
use kit::{Progress, shown};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Time between two reads of the counts, each of which is a single row.
const POLL: Duration = Duration::from_millis(10);

/// Timeout for processing the backlog.
const PATIENCE: Duration = Duration::from_secs(600);

/// Creates a backlog in the outbox, publishes it without a consumer, then applies it.
pub async fn run(session: &mut Session) -> Result<()> {
    let shop = session.open_shop().await?;
    let backlog = if session.pace.quick { 20_000 } else { 200_000 };
    let mut command = shop.start_paused_command().await?;
    let placing = Placing {
        name: "orders without a broker",
        connections: 64,
        products: PRODUCTS,
        warm_up: Duration::ZERO,
        until: Until::Count(backlog),
    };
    let placed = placing.run(&mut command).await?;
    drop(command);
    shop.databases.write.settle().await?;

    let (wanted, row) = publish(session, &shop).await?;
    session.report.add(row.target(Target::AtLeast(15_000.0)).flagged(placed.flag()));
    let row = apply(&shop, wanted).await?;
    session.report.add(row.target(Target::AtLeast(30_000.0)));
    session.close_shop(shop).await
}

/// Publishes the backlog. Returns the number of published events.
async fn publish(session: &Session, shop: &Shop) -> Result<(i64, Row)> {
    let before = shop.events().await?;
    let wanted = before.published + before.unpublished;
    let _command = shop.start_command(&session.servers.broker).await?;
    let progress = Progress::begin("publishing", 0);
    let published = async || shop.published().await;
    let rate = progress.during(rate(before.published, wanted, published)).await?;
    let after = shop.events().await?;
    ensure!(after.unpublished == 0, "{} events were not published", after.unpublished);
    Ok((wanted, Row::new("published", rate, Unit::PerSecond)))
}

async fn apply(shop: &Shop, wanted: i64) -> Result<Row> {
    let before = shop.applied().await?;
    let mut consumer = shop.spawn_consumer()?;
    let applied = async || shop.applied().await;
    let rate = shown("applying", rate(before, wanted, applied)).await?;
    consumer.healthy().await?;
    Ok(Row::new("applied", rate, Unit::PerSecond))
}

/// The rate at which a count rises, from when it is first seen above `before` until it is
/// `wanted`.
async fn rate(before: i64, wanted: i64, count: impl AsyncFn() -> Result<i64>) -> Result<f64> {
    let deadline = Instant::now() + PATIENCE;
    let mut first = None;
    loop {
        let (done, now) = (count().await?, Instant::now());
        if done > before {
            let (first_done, first_seen) = *first.get_or_insert((done, now));
            if done >= wanted {
                return Ok((done - first_done) as f64 / (now - first_seen).as_secs_f64());
            }
        }
        ensure!(now < deadline, "{done} of {wanted} events, no more");
        sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test]
    async fn the_rate_counts_from_the_first_change() {
        let steps = Cell::new(0);
        let begun = Instant::now();
        let count = async || {
            steps.set(steps.get() + 1);
            Ok(if steps.get() < 3 { 100 } else { 100 * steps.get() })
        };
        let rate = rate(100, 1_000, count).await.unwrap();
        // From 300, at the third read, to 1,000, at the tenth.
        assert!(rate > 0.0 && rate <= 700.0 / 0.07, "{rate}");
        assert!(begun.elapsed() >= 9 * POLL);
    }
}
