//! A run from its first request to its result.

use crate::arguments::Arguments;
use crate::catch_up;
use crate::client::{Connection, Server};
use crate::creation::Creation;
use crate::findings::{Finding, summary};
use crate::phase::Drive;
use crate::plan::Plan;
use crate::report::{meaning_of_latencies, table, too_slow};
use crate::stop::Stop;
use crate::tally::Tally;
use crate::verify::{Verification, Verified};
use anyhow::{Result, bail};
use kit::{grouped, note, print};
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Sends the load, waits for the views and verifies them. Fails if the stack does not run,
/// nothing of a phase was accepted, or the views did not catch up.
pub async fn run(arguments: &Arguments) -> Result<ExitCode> {
    match (arguments.users, arguments.products, arguments.orders) {
        (0, 0, 0) => bail!("there is nothing to do"),
        (_, 0, 1..) => bail!("orders require products: use --products, or --orders 0"),
        _ => {}
    }
    let [commands, queries] = arguments.servers();
    let stop = Stop::watch()?;
    check_health(&commands, "--command-url").await?;
    check_health(&queries, "--query-url").await?;

    let started = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let plan = Plan::new(arguments.seed, u64::try_from(started)?, arguments.orders);
    print(&format!("Load on {commands}, run {}, seed {}.", plan.run, arguments.seed));
    let drive = Drive { arguments, server: &commands, rate: arguments.rate, stop: &stop };
    let mut creation = Creation { drive, plan: &plan, tallies: Vec::new(), responses: Vec::new() };
    let created = creation.run().await;
    let since = Instant::now();
    let Creation { tallies: load, responses, .. } = creation;
    print_load(&load, arguments);
    let created = created?;
    if stop.is_requested() {
        let text = "Stopped: not everything was sent, and verification was skipped.";
        return Ok(stopped(&stop, text));
    }
    // The load's rate does not apply to the reads.
    let drive = Drive { server: &queries, rate: None, ..drive };
    if !catch_up::wait(drive, created.last(), since).await? {
        return Ok(stopped(&stop, "Stopped: verification was skipped."));
    }
    let mut verified = Verified { findings: responses, ..Verified::default() };
    Verification::new(drive, &plan, &created).run(&mut verified).await;
    Ok(judge(&verified, &load, &stop))
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

fn print_load(load: &[Tally], arguments: &Arguments) {
    let (rate, concurrency) = (arguments.rate, arguments.concurrency);
    print(&format!("\n{}\n\n{}", table(load), meaning_of_latencies(rate, concurrency)));
    too_slow(load, rate).iter().for_each(|line| print(line));
}

/// Prints the result and returns the exit code. `load` has the tallies of what was sent.
fn judge(verified: &Verified, load: &[Tally], stop: &Stop) -> ExitCode {
    print(&format!("\n{}\n", table(&verified.tallies)));
    for text in verified.findings.iter().filter_map(Finding::differences) {
        print(&format!("{text}\n"));
    }
    if stop.is_requested() {
        return stopped(stop, "Stopped: verification is incomplete.");
    }
    if verified.tallies.iter().any(|tally| tally.abandoned) {
        note("error: the query service does not respond any more: verification is incomplete");
        return ExitCode::FAILURE;
    }
    let failed: u64 = load.iter().map(|tally| tally.failed).sum();
    let unknown: u64 = load.iter().map(|tally| tally.unknown).sum();
    if failed + unknown > 0 {
        let (failed, unknown) = (grouped(failed), grouped(unknown));
        print(&format!("{failed} requests of the load failed, {unknown} have an unknown outcome."));
    }
    let (line, agrees) = summary(&verified.findings);
    print(&line);
    print("`cargo stack verify` compares every row and column of the views.");
    if agrees { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints that the run was stopped and returns the exit code.
fn stopped(stop: &Stop, text: &str) -> ExitCode {
    print(&format!("\n{text}"));
    ExitCode::from(stop.exit_code())
}
