//! A long run at a constant rate, to find growth.

use crate::drive::place_at_rate;
use crate::measured::Measured;
use crate::report::{Row, Target, Unit};
use crate::requests::{PRODUCTS, orders};
use crate::service::Service;
use crate::session::Session;
use crate::shop::{Pipeline, Shop};
use crate::sizes::{self, Size};
use anyhow::Result;
use kit::{print, shown};
use std::time::Duration;

const RATE: u32 = 1_000;

/// The target for a service's memory at the end, as a multiple of that in the first minute.
const MEMORY: f64 = 1.2;

/// The target for the size of constant tables at the end, as a multiple of that in the second
/// minute: from then on the space of dead rows is reused.
const BLOAT: f64 = 1.5;

/// The state at the end of a minute.
struct Minute {
    memory: [f64; 3],
    sizes: Vec<Size>,
}

/// Places orders for this many minutes.
pub async fn run(session: &mut Session, minutes: u32) -> Result<()> {
    session.section("soak", async |session, shop| place(session, shop, minutes).await).await
}

async fn place(session: &mut Session, shop: &Shop, minutes: u32) -> Result<()> {
    let Pipeline { mut command, consumer } = shop.start_pipeline().await?;
    let query = shop.spawn_query()?.healthy().await?;
    let mut seen = Vec::new();
    let (mut accepted, mut failed) = (0, 0);
    for number in 1..=minutes {
        let (orders, minute) = (orders(PRODUCTS), Duration::from_secs(60));
        let placing = place_at_rate(&mut command, RATE, minute, orders, |_, _, _| {});
        let placed = shown(&format!("minute {number} of {minutes}"), placing).await?;
        let minute = Minute::measure(shop, [&command, &consumer, &query]).await?;
        print(&minute.line(number, &placed));
        (accepted, failed) = (accepted + placed.accepted, failed + placed.failed());
        seen.push(minute);
    }
    shop.caught_up().await?;
    session.report.remark(format!("{accepted} orders accepted, {failed} failed"));
    report(session, &seen);
    Ok(())
}

impl Minute {
    async fn measure(shop: &Shop, services: [&Service; 3]) -> Result<Self> {
        let memory = services.map(|service| service.memory("VmRSS"));
        Ok(Self { memory, sizes: sizes::measure(&shop.databases).await? })
    }

    fn line(&self, number: u32, placed: &Measured) -> String {
        let [command, consumer, query] = self.memory;
        format!(
            "minute {number}: {} accepted, {} failed, POST p50 {:.1} ms, p99 {:.1} ms; memory: \
             command {command:.1}, consumer {consumer:.1}, query {query:.1} MB; {}",
            placed.accepted,
            placed.failed(),
            placed.latencies.quantile(0.5),
            placed.latencies.quantile(0.99),
            sizes::line(&self.sizes)
        )
    }
}

fn report(session: &mut Session, seen: &[Minute]) {
    let (Some(first), Some(second), Some(last)) = (seen.first(), seen.get(1), seen.last()) else {
        return;
    };
    let services = ["command service", "consumer service", "query service"];
    for ((service, before), after) in services.iter().zip(first.memory).zip(last.memory) {
        let row = Row::new(format!("{service}, memory at the end"), after, Unit::Megabytes);
        let row = row.against(before, "first minute");
        session.report.add(row.target(Target::Ratio(MEMORY)));
    }
    let bloat = sizes::constant(&last.sizes);
    let row = Row::new("tables of constant size, at the end", bloat, Unit::Megabytes)
        .against(sizes::constant(&second.sizes), "second minute");
    session.report.add(row.target(Target::Ratio(BLOAT)));
    let sizes = sizes::compared(&second.sizes, &last.sizes);
    session.report.remark(format!("sizes, second minute and end\n\n{sizes}"));
}
