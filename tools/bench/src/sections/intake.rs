//! Accepted orders per second, compared with the same order in one statement by pgbench.

use crate::cpu::Spent;
use crate::drive::Until;
use crate::figures::median;
use crate::measured::{Measured, each, flags};
use crate::pgbench::{Pgbench, Speed};
use crate::report::{Row, Target, Unit};
use crate::requests::{HOT_PRODUCTS, PRODUCTS};
use crate::service::Service;
use crate::session::Session;
use crate::shop::{Placing, Shop};
use anyhow::Result;
use kit::{Progress, shown};

pub const ONE_STATEMENT: &str = "one statement, pgbench";

/// The measurements, one per round.
#[derive(Debug, Default)]
struct Rounds {
    /// With 64, 16 and 1 clients.
    limit: [Vec<Speed>; 3],
    /// Without publisher and consumer, with 64, 16 and 1 clients.
    paused: [Vec<Measured>; 3],
    hot: Vec<Measured>,
    crowd: Vec<Measured>,
    running: Vec<Measured>,
    paused_cpu: Spent,
    running_cpu: Spent,
}

/// The numbers of clients in [`Rounds`].
const CLIENTS: [usize; 3] = [64, 16, 1];

/// Measures the limit and our figures alternately.
pub async fn run(session: &mut Session) -> Result<()> {
    let shop = session.open_shop().await?;
    // Grown databases are compared with small ones, not with pgbench.
    let limit = match session.is_grown() {
        true => None,
        false => Some(shown("pgbench's database", Pgbench::one_statement(&session.servers)).await?),
    };
    let mut rounds = Rounds::default();
    for _ in 0..session.pace.rounds {
        let pgbench = limit.as_ref().map(|(pgbench, _)| pgbench);
        rounds.measure_paused(session, &shop, pgbench).await?;
        rounds.measure_running(session, &shop).await?;
    }
    rounds.report(session);
    if let Some((_, database)) = limit {
        database.delete().await?;
    }
    session.close_shop(shop).await
}

impl Rounds {
    async fn measure_paused(
        &mut self,
        session: &Session,
        shop: &Shop,
        pgbench: Option<&Pgbench>,
    ) -> Result<()> {
        let mut command = shop.start_paused_command().await?;
        for (index, clients) in CLIENTS.into_iter().enumerate() {
            if let Some(pgbench) = pgbench {
                self.limit[index].push(limit(session, pgbench, clients).await?);
            } else if clients != 64 {
                continue;
            }
            let before = Spent::now(&shop.parts(&[&command]));
            let name = format!("orders, paused, {clients} clients");
            self.paused[index].push(place(session, &name, clients, PRODUCTS, &mut command).await?);
            if clients == 64 {
                let after = Spent::now(&shop.parts(&[&command]));
                self.paused_cpu.add(&after.since(&before));
            }
        }
        if pgbench.is_some() {
            let name = "orders of 10 products, paused, 64 clients";
            self.hot.push(place(session, name, 64, HOT_PRODUCTS, &mut command).await?);
            let name = "orders, paused, 256 clients";
            self.crowd.push(place(session, name, 256, PRODUCTS, &mut command).await?);
        }
        Ok(())
    }

    async fn measure_running(&mut self, session: &Session, shop: &Shop) -> Result<()> {
        let mut pipeline = shop.start_pipeline().await?;
        shown("publishing and applying the backlog", shop.caught_up()).await?;
        let parts = shop.parts(&[&pipeline.command, &pipeline.consumer]);
        let before = Spent::now(&parts);
        let name = "orders, running, 64 clients";
        self.running.push(place(session, name, 64, PRODUCTS, &mut pipeline.command).await?);
        shown("views catching up", shop.caught_up()).await?;
        self.running_cpu.add(&Spent::now(&parts).since(&before));
        Ok(())
    }

    fn report(&self, session: &mut Session) {
        let report = &mut session.report;
        let limits = |index: usize| {
            let speeds = self.limit[index].iter().map(|speed| speed.per_second);
            median(&speeds.collect::<Vec<_>>())
        };
        let targets = [Some(Target::RatioAtLeast(2.0)), Some(Target::RatioAtLeast(1.0)), None];
        for (index, target) in targets.into_iter().enumerate() {
            let runs = &self.paused[index];
            if !runs.is_empty() {
                let what = format!("paused, {} clients", CLIENTS[index]);
                let row = rate(&what, runs).against(limits(index), ONE_STATEMENT);
                report.add(Row { target, ..row });
            }
        }
        report.add(
            rate("running, 64 clients", &self.running)
                .against(limits(0), ONE_STATEMENT)
                .target(Target::RatioAtLeast(1.3)),
        );
        if !session.is_grown() {
            self.report_more(session);
        }
        let report = &mut session.report;
        report.remark(format!("paused, 64 clients\n\n{}", cpu(&self.paused_cpu, &self.paused[0])));
        report.remark(format!("running, 64 clients\n\n{}", cpu(&self.running_cpu, &self.running)));
    }

    fn report_more(&self, session: &mut Session) {
        let [spread, _, alone] = &self.paused;
        let latency: Vec<f64> = self.limit[2].iter().map(|speed| speed.latency).collect();
        let spread = median(&each(spread, Measured::rate));
        let p50 = median(&each(alone, |run| run.quantile(0.5)));
        session.report.add(
            Row::new(
                "paused, 1 client, mean latency",
                median(&each(alone, Measured::mean)),
                Unit::Milliseconds,
            )
            .against(median(&latency), ONE_STATEMENT)
            .target(Target::RatioAtMost(1.3))
            .flagged(flags(alone)),
        );
        session.report.add(Row::new("paused, 1 client, p50", p50, Unit::Milliseconds));
        session.report.add(
            rate("10 hot products, paused, 64 clients", &self.hot)
                .against(spread, "10,000 products")
                .target(Target::RatioAtLeast(0.9)),
        );
        session.report.add(rate("paused, 256 clients", &self.crowd));
    }
}

fn rate(what: &str, runs: &[Measured]) -> Row {
    let rate = median(&each(runs, Measured::rate));
    Row::new(what, rate, Unit::PerSecond).flagged(flags(runs))
}

fn cpu(spent: &Spent, runs: &[Measured]) -> String {
    spent.per_order(runs.iter().map(|run| run.accepted_in_all).sum())
}

/// One run of pgbench.
pub async fn limit(session: &Session, pgbench: &Pgbench, clients: usize) -> Result<Speed> {
    let pace = session.pace;
    let progress = Progress::begin(&format!("pgbench, {clients} clients"), 0);
    let running = async {
        let speed = pgbench.run(clients, pace.warm_up, pace.measure).await?;
        progress.remark(format!("{:.0} orders/s", speed.per_second));
        Ok(speed)
    };
    progress.during(running).await
}

async fn place(
    session: &Session,
    name: &str,
    connections: usize,
    products: u32,
    command: &mut Service,
) -> Result<Measured> {
    let (warm_up, until) = (session.pace.warm_up, Until::Time(session.pace.measure));
    Placing { name, connections, products, warm_up, until }.run(command).await
}
