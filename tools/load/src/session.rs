//! A run from its first request to its verdict.

use crate::arguments::Arguments;
use crate::catch_up::{self, CaughtUp, Waited};
use crate::client::{Connection, Server};
use crate::created::Created;
use crate::creation::Creation;
use crate::loading::{self, Amounts};
use crate::output::print;
use crate::phase::Drive;
use crate::plan::Plan;
use crate::report::{meaning_of_latencies, table, too_slow};
use crate::run_id::RunId;
use crate::stop::Stop;
use crate::tally::Tally;
use crate::verdict::{judge, stopped};
use crate::verify::Verification;
use anyhow::{Result, bail};
use std::process::ExitCode;
use std::time::Instant;

/// What all steps of a run need.
#[derive(Debug)]
struct Session<'a> {
    arguments: &'a Arguments,
    commands: Server,
    queries: Server,
    stop: Stop,
}

/// Drives the load, waits for the views and compares everything.
///
/// # Errors
/// If the stack is not there, a phase came to nothing, or the views did not
/// catch up.
pub async fn run(arguments: &Arguments) -> Result<ExitCode> {
    let amounts =
        Amounts { users: arguments.users, products: arguments.products, orders: arguments.orders };
    match amounts {
        Amounts { users: 0, products: 0, orders: 0 } => bail!("there is nothing to do"),
        Amounts { products: 0, orders: 1.., .. } => {
            bail!("orders need products: give --products, or --orders 0")
        }
        _ => {}
    }
    let session = Session {
        arguments,
        commands: arguments.command_server(),
        queries: arguments.query_server(),
        stop: Stop::watch()?,
    };
    check_presence(&session.commands, "--command-url").await?;
    check_presence(&session.queries, "--query-url").await?;
    session.run(amounts).await
}

impl Session<'_> {
    async fn run(&self, amounts: Amounts) -> Result<ExitCode> {
        let run = RunId::now();
        let plan = Plan::new(self.arguments.seed, run, amounts.orders);
        print(&format!("Load on {}, run {run}, seed {}.", self.commands, self.arguments.seed));
        let creation = Creation { drive: self.drive(), server: &self.commands, plan: &plan };
        let mut load = Vec::new();
        let created = loading::create(amounts, run, &creation, &mut load).await;
        let since = Instant::now();
        self.print_load(&load);
        let created = created?;
        if self.stop.is_asked() {
            let text = "Stopped: not everything was sent, and verification was skipped.";
            return Ok(stopped(&self.stop, text));
        }
        if !self.views_catch_up(&created, since).await? {
            return Ok(stopped(&self.stop, "Stopped: verification was skipped."));
        }
        let samples = self.arguments.samples;
        let verification = Verification::new(self.drive(), &self.queries, &plan, &created, samples);
        Ok(judge(&verification.run().await?, &load, &self.stop))
    }

    fn drive(&self) -> Drive<'_> {
        Drive {
            concurrency: self.arguments.concurrency,
            rate: self.arguments.rate,
            stop: &self.stop,
            patience: self.arguments.patience(),
        }
    }

    /// Waits until the views show all that was sent before `since`; false if a
    /// stop was asked for.
    async fn views_catch_up(&self, created: &Created, since: Instant) -> Result<bool> {
        let (last_order, patience) = (created.last_order(), self.arguments.patience());
        match catch_up::wait(&self.queries, last_order, since, patience, &self.stop).await? {
            Waited::CaughtUp(after) => {
                print_caught_up(after);
                Ok(true)
            }
            Waited::Stopped => Ok(false),
            Waited::GivenUp(known) => bail!(
                "the views did not catch up, nothing was applied for {} s ({known}): see \
                 http://localhost:{}/health, of the consumer service; verification was skipped",
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

/// Refuses to begin if nothing is there, or it is not well.
async fn check_presence(server: &Server, flag: &str) -> Result<()> {
    let answer = match Connection::new(server).get_once("/health").await {
        Ok(answer) => answer,
        Err(lost) => bail!(
            "nothing answers at {server} ({lost}): start the stack with `cargo stack up`, or name \
             its address by {flag} or --port-offset"
        ),
    };
    if answer.status != 200 {
        let body = String::from_utf8_lossy(&answer.body);
        bail!("{server}/health answers {}: {}", answer.status, body.trim());
    }
    Ok(())
}

fn print_caught_up(after: CaughtUp) {
    let visible = after.visible_after.map_or_else(String::new, |visible| {
        format!("The last order could be read {:.1} s after its answer. ", visible.as_secs_f64())
    });
    print(&format!(
        "\n{visible}The views were known to be complete after {:.1} s ({:.1} s at the soonest).",
        after.complete_after.as_secs_f64(),
        catch_up::COUNTS_ARE_OLD.as_secs_f64()
    ));
}
