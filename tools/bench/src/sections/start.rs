//! The time from the start of the services until they are healthy.

use crate::figures::median;
use crate::report::{Row, Target, Unit};
use crate::service::Service;
use crate::session::Session;
use crate::shop::Shop;
use anyhow::Result;
use futures::future::try_join_all;
use kit::shown;
use std::time::Instant;

const STARTS: usize = 5;

/// The target for the seconds until all three are healthy.
const TARGET: Target = Target::Figure(1.0);

/// Starts all three at once, with migrated databases and a running broker.
pub async fn run(session: &mut Session, shop: &Shop) -> Result<()> {
    let mut starts = Vec::with_capacity(STARTS);
    for number in 1..=STARTS {
        let name = format!("start {number} of {STARTS}");
        starts.push(shown(&name, start(shop, &session.servers.broker)).await?);
    }
    for (index, service) in
        ["command service", "consumer service", "query service"].iter().enumerate()
    {
        let times = starts.iter().map(|start| start[index]);
        session.report.add(Row::new(*service, median(times), Unit::Seconds));
    }
    let slowest = starts.iter().map(|start| start.iter().copied().fold(0.0, f64::max));
    let worst = slowest.clone().fold(0.0, f64::max);
    let all = |what, figure| Row::new(what, figure, Unit::Seconds).target(TARGET);
    session.report.add(all("all three, median of 5", median(slowest)));
    session.report.add(all("all three, worst of 5", worst));
    Ok(())
}

/// Seconds until the command, the consumer and the query service were healthy.
async fn start(shop: &Shop, broker: &str) -> Result<Vec<f64>> {
    let begun = Instant::now();
    let services = [shop.spawn_command(broker)?, shop.spawn_consumer()?, shop.spawn_query()?];
    // All run until the last one is healthy.
    let healthy = async |service: Service| -> Result<(Service, f64)> {
        Ok((service.healthy().await?, begun.elapsed().as_secs_f64()))
    };
    let (_services, seconds): (Vec<_>, _) =
        try_join_all(services.map(healthy)).await?.into_iter().unzip();
    Ok(seconds)
}
