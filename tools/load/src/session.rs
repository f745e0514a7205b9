//! A run from its first request to its result.

use crate::arguments::Arguments;
use crate::catch_up::{self, Waited};
use crate::client::{Connection, Server};
use crate::created::Created;
use crate::creation::{Amounts, Creation};
use crate::phase::Drive;
use crate::plan::Plan;
use crate::report::{meaning_of_latencies, table, too_slow};
use crate::run_id::RunId;
use crate::stop::Stop;
use crate::tally::Tally;
use crate::verdict::{judge, stopped};
use crate::verify::Verification;
use anyhow::{Result, bail};
use kit::print;
use std::process::ExitCode;
use std::time::Instant;

/// What all steps of a run use.
#[derive(Debug)]
struct Session<'a> {
    arguments: &'a Arguments,
    commands: Server,
    queries: Server,
    stop: Stop,
}

/// Sends the load, waits for the views and verifies them. Fails if the stack does not run,
/// nothing of a phase was accepted, or the views did not catch up.
pub async fn run(arguments: &Arguments) -> Result<ExitCode> {
    let amounts =
        Amounts { users: arguments.users, products: arguments.products, orders: arguments.orders };
    match amounts {
        Amounts { users: 0, products: 0, orders: 0 } => bail!("there is nothing to do"),
        Amounts { products: 0, orders: 1.., .. } => {
            bail!("orders require products: use --products, or --orders 0")
        }
        _ => {}
    }
    let session = Session {
        arguments,
        commands: arguments.command_server(),
        queries: arguments.query_server(),
        stop: Stop::watch()?,
    };
    check_health(&session.commands, "--command-url").await?;
    check_health(&session.queries, "--query-url").await?;
    session.run(amounts).await
}

impl Session<'_> {
    async fn run(&self, amounts: Amounts) -> Result<ExitCode> {
        let run = RunId::now();
        let plan = Plan::new(self.arguments.seed, run, amounts.orders);
        print(&format!("Load on {}, run {run}, seed {}.", self.commands, self.arguments.seed));
        let creation = Creation { drive: self.drive(), server: &self.commands, plan: &plan };
        let mut load = Vec::new();
        let created = creation.run(amounts, run, &mut load).await;
        let since = Instant::now();
        self.print_load(&load);
        let created = created?;
        if self.stop.is_requested() {
            let text = "Stopped: not everything was sent, and verification was skipped.";
            return Ok(stopped(&self.stop, text));
        }
        if !self.views_catch_up(&created, since).await? {
            return Ok(stopped(&self.stop, "Stopped: verification was skipped."));
        }
        let samples = self.arguments.samples;
        let verification = Verification::new(self.drive(), &self.queries, &plan, &created, samples);
        Ok(judge(&verification.run().await, &load, &self.stop))
    }

    fn drive(&self) -> Drive<'_> {
        Drive {
            concurrency: self.arguments.concurrency,
            rate: self.arguments.rate,
            stop: &self.stop,
            patience: self.arguments.patience(),
        }
    }

    /// Waits until the views show all that was sent before `since`; false if a stop was
    /// requested.
    async fn views_catch_up(&self, created: &Created, since: Instant) -> Result<bool> {
        let (last_order, patience) = (created.last_order(), self.arguments.patience());
        match catch_up::wait(&self.queries, last_order, since, patience, &self.stop).await {
            Waited::CaughtUp { visible_after, complete_after } => {
                let visible = visible_after.map_or_else(String::new, |visible| {
                    let seconds = visible.as_secs_f64();
                    format!("The last order was readable {seconds:.1} s after its response. ")
                });
                print(&format!(
                    "\n{visible}The views were known to be complete after {:.1} s (at least {:.1} s).",
                    complete_after.as_secs_f64(),
                    catch_up::AGE_OF_COUNTS.as_secs_f64()
                ));
                Ok(true)
            }
            Waited::Stopped => Ok(false),
            Waited::TimedOut(known) => bail!(
                "the views did not catch up, no event was applied for {} s ({known}): see \
                 http://localhost:{}/health of the consumer service; verification was skipped",
                patience.as_secs(),
                9082 + self.arguments.port_offset
            ),
        }
    }

    fn print_load(&self, load: &[Tally]) {
        let (rate, concurrency) = (self.arguments.rate, self.arguments.concurrency);
        print(&format!("\n{}\n\n{}", table(load), meaning_of_latencies(rate, concurrency)));
        too_slow(load, rate).iter().for_each(|line| print(line));
    }
}

/// Fails if the server does not respond or is not healthy.
async fn check_health(server: &Server, flag: &str) -> Result<()> {
    let mut connection = Connection::new(server);
    match connection.get_once("/health").await {
        Ok(response) if response.status == 200 => Ok(()),
        Ok(response) => {
            let body = String::from_utf8_lossy(response.body);
            bail!("{server}/health responds {}: {}", response.status, body.trim())
        }
        Err(lost) => bail!(
            "no response from {server} ({lost}): start the stack with `cargo stack up`, or set \
             its address by {flag} or --port-offset"
        ),
    }
}
