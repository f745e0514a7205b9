//! Accepted orders per second, compared with the same order in one statement by pgbench.

use crate::cpu::Spent;
use crate::figures::median;
use crate::measured::{Measured, flags, median_of, rate_row};
use crate::pgbench::{Pgbench, Speed};
use crate::report::{Row, Target, Unit};
use crate::requests::{HOT_PRODUCTS, PRODUCTS, orders};
use crate::servers::NO_BROKER;
use crate::session::Session;
use crate::shop::{Pipeline, Shop};
use anyhow::Result;
use kit::shown;

pub const ONE_STATEMENT: &str = "one statement, pgbench";

/// The measurements, one per round.
#[derive(Debug, Default)]
struct Rounds {
    /// With [`CLIENTS`].
    limit: [Vec<Speed>; 3],
    /// Without publisher and consumer, with [`CLIENTS`].
    paused: [Vec<Measured>; 3],
    hot: Vec<Measured>,
    crowd: Vec<Measured>,
    running: Vec<Measured>,
    paused_cpu: Spent,
    running_cpu: Spent,
}

/// The numbers of clients in [`Rounds`].
const CLIENTS: [usize; 3] = [64, 16, 1];

/// Their targets, as ratios to the limit.
const TARGETS: [Option<Target>; 3] = [Some(Target::Ratio(2.0)), Some(Target::Ratio(1.0)), None];

/// Measures the limit and our figures alternately.
pub async fn run(session: &mut Session, shop: &Shop) -> Result<()> {
    let limit = session.open_limit().await?;
    let mut rounds = Rounds::default();
    for _ in 0..session.pace.rounds {
        rounds.measure_paused(session, shop, limit.as_ref()).await?;
        rounds.measure_running(session, shop).await?;
    }
    rounds.report(session);
    match limit {
        Some(pgbench) => pgbench.database.delete().await,
        None => Ok(()),
    }
}

impl Rounds {
    async fn measure_paused(
        &mut self,
        session: &Session,
        shop: &Shop,
        pgbench: Option<&Pgbench>,
    ) -> Result<()> {
        let mut command = shop.spawn_command(NO_BROKER)?.healthy().await?;
        for (index, clients) in CLIENTS.into_iter().enumerate() {
            if let Some(pgbench) = pgbench {
                self.limit[index].push(pgbench.run(clients, session.pace).await?);
            } else if clients != 64 {
                continue;
            }
            let before = Spent::now(&shop.parts(&[&command]));
            let placing = session.placing(clients);
            let placed = placing.shown("orders, paused", &mut command, orders(PRODUCTS)).await?;
            self.paused[index].push(placed);
            if clients == 64 {
                let after = Spent::now(&shop.parts(&[&command]));
                self.paused_cpu.add(&after.since(&before));
            }
        }
        if pgbench.is_some() {
            let (placing, orders_of_ten) = (session.placing(64), orders(HOT_PRODUCTS));
            let name = "orders of 10 products, paused";
            self.hot.push(placing.shown(name, &mut command, orders_of_ten).await?);
            let placing = session.placing(256);
            let placed = placing.shown("orders, paused", &mut command, orders(PRODUCTS)).await?;
            self.crowd.push(placed);
        }
        Ok(())
    }

    async fn measure_running(&mut self, session: &Session, shop: &Shop) -> Result<()> {
        let Pipeline { mut command, consumer } = shop.start_pipeline().await?;
        shown("publishing and applying the backlog", shop.caught_up()).await?;
        let parts = shop.parts(&[&command, &consumer]);
        let before = Spent::now(&parts);
        let placing = session.placing(64);
        let placed = placing.shown("orders, running", &mut command, orders(PRODUCTS)).await?;
        self.running.push(placed);
        shown("views catching up", shop.caught_up()).await?;
        self.running_cpu.add(&Spent::now(&parts).since(&before));
        Ok(())
    }

    fn report(&self, session: &mut Session) {
        let report = &mut session.report;
        let limits = |index: usize| median(self.limit[index].iter().map(|speed| speed.per_second));
        for (index, runs) in self.paused.iter().enumerate().filter(|(_, runs)| !runs.is_empty()) {
            let row = rate_row(&format!("paused, {} clients", CLIENTS[index]), runs)
                .against(limits(index), ONE_STATEMENT);
            report.add(Row { target: TARGETS[index], ..row });
        }
        report.add(
            rate_row("running, 64 clients", &self.running)
                .against(limits(0), ONE_STATEMENT)
                .target(Target::Ratio(1.3)),
        );
        if session.grown.is_none() {
            self.report_more(session);
        }
        let report = &mut session.report;
        report.remark(format!("paused, 64 clients\n\n{}", cpu(&self.paused_cpu, &self.paused[0])));
        report.remark(format!("running, 64 clients\n\n{}", cpu(&self.running_cpu, &self.running)));
    }

    fn report_more(&self, session: &mut Session) {
        let [spread, _, alone] = &self.paused;
        let mean = median_of(alone, |run| run.latencies.mean());
        let p50 = median_of(alone, |run| run.latencies.quantile(0.5));
        session.report.add(
            Row::new("paused, 1 client, mean latency", mean, Unit::Milliseconds)
                .against(median(self.limit[2].iter().map(|speed| speed.latency)), ONE_STATEMENT)
                .target(Target::Ratio(1.3))
                .flagged(flags(alone)),
        );
        session.report.add(Row::new("paused, 1 client, p50", p50, Unit::Milliseconds));
        session.report.add(
            rate_row("10 hot products, paused, 64 clients", &self.hot)
                .against(median_of(spread, Measured::rate), "10,000 products")
                .target(Target::Ratio(0.9)),
        );
        session.report.add(rate_row("paused, 256 clients", &self.crowd));
    }
}

fn cpu(spent: &Spent, runs: &[Measured]) -> String {
    spent.per_order(runs.iter().map(|run| run.accepted_in_all).sum())
}
