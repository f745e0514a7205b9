//! New orders while a backlog of unpaid orders expires.

use crate::figures::median;
use crate::measured::{Measured, median_of, rate_row};
use crate::report::{Row, Target, Unit};
use crate::requests::{PRODUCTS, orders};
use crate::session::Session;
use crate::shop::{Pipeline, Shop, one};
use anyhow::Result;
use kit::shown;
use std::time::Instant;
use tokio::time::sleep;

/// The orders of the grown databases are older.
const TIMEOUT: &str = "1h";

/// The measurements, one per round.
#[derive(Debug, Default)]
struct Rounds {
    without: Vec<Measured>,
    with: Vec<Measured>,
    /// Expired orders per second while orders are placed.
    expired: Vec<f64>,
    /// The same without other work.
    expired_alone: Vec<f64>,
}

/// Measures new orders without and with the backlog alternately.
pub async fn run(session: &mut Session, shop: &Shop) -> Result<()> {
    let mut rounds = Rounds::default();
    for _ in 0..session.pace.rounds {
        let (placed, _) = place(session, shop, "").await?;
        rounds.without.push(placed);
        let (placed, expired) = place(session, shop, TIMEOUT).await?;
        rounds.with.push(placed);
        rounds.expired.push(expired);
        rounds.expired_alone.push(expire_alone(session, shop).await?);
    }
    rounds.report(session);
    Ok(())
}

/// Places orders with this time to pay, and returns expired orders per second as well.
async fn place(session: &Session, shop: &Shop, timeout: &str) -> Result<(Measured, f64)> {
    let Pipeline { mut command, consumer } = start(shop, timeout).await?;
    shown("views catching up", shop.caught_up()).await?;
    let (before, began) = (expired(shop).await?, Instant::now());
    let name = if timeout.is_empty() { "orders" } else { "orders, others expire" };
    let placed = session.placing(64).shown(name, &mut command, orders(PRODUCTS)).await?;
    let rate = per_second(expired(shop).await? - before, began);
    drop((command, consumer));
    Ok((placed, rate))
}

async fn expire_alone(session: &Session, shop: &Shop) -> Result<f64> {
    let _pipeline = start(shop, TIMEOUT).await?;
    let (before, began) = (expired(shop).await?, Instant::now());
    shown("orders expire", async {
        sleep(session.pace.measure).await;
        anyhow::Ok(())
    })
    .await?;
    Ok(per_second(expired(shop).await? - before, began))
}

async fn start(shop: &Shop, timeout: &str) -> Result<Pipeline> {
    shop.start_pipeline_with(&[("UNPAID_ORDER_TIMEOUT", timeout)]).await
}

async fn expired(shop: &Shop) -> Result<i64> {
    one(&shop.databases.write, "SELECT count(*) FROM orders WHERE status = 'CANCELLED'").await
}

fn per_second(count: i64, since: Instant) -> f64 {
    count as f64 / since.elapsed().as_secs_f64()
}

impl Rounds {
    fn report(&self, session: &mut Session) {
        let report = &mut session.report;
        report.add(rate_row("without expiry, 64 clients", &self.without));
        report.add(
            rate_row("while a backlog expires, 64 clients", &self.with)
                .against(median_of(&self.without, Measured::rate), "without expiry")
                .target(Target::Ratio(0.9)),
        );
        let expired = median(self.expired.iter().copied());
        report.add(Row::new("expired meanwhile", expired, Unit::PerSecond));
        let alone = median(self.expired_alone.iter().copied());
        report.add(Row::new("expired without other work", alone, Unit::PerSecond));
    }
}
