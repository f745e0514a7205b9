//! `cargo stack chaos`: random fault scenarios, one after the other, for a given time.

#![allow(clippy::print_stdout, reason = "a command-line program prints its report")]

use anyhow::Context;
use clap::Parser;
use fastrand::Rng;
use std::collections::BTreeMap;
use std::fs;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use system_tests::faults::{Report, SCENARIOS, Scenario, ServerChoice, find, run};
use system_tests::harness::DedicatedServers;

/// Breaks services, links, brokers and databases at random and checks that no order or event
/// is lost or duplicated.
#[derive(Debug, Parser)]
#[command(name = "cargo stack chaos", bin_name = "cargo stack chaos")]
struct Arguments {
    /// Duration in minutes. The scenario that runs at its end is completed.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Seed of the scenarios and their choices. By default from the clock.
    #[arg(long)]
    seed: Option<u64>,
    /// Run only this scenario, repeatedly.
    #[arg(long, value_name = "NAME", value_parser = scenario)]
    only: Option<&'static Scenario>,
    /// List the scenarios and exit.
    #[arg(long)]
    list: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.list {
        SCENARIOS.iter().for_each(|scenario| println!("{}", scenario.name));
        return Ok(ExitCode::SUCCESS);
    }
    let scenarios = match arguments.only {
        Some(scenario) => vec![scenario],
        None => SCENARIOS.iter().collect(),
    };
    let seed = arguments.seed.unwrap_or_else(seed_from_clock);
    let folder = std::env::temp_dir().join(format!("shop-chaos-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    println!("seed {seed}; starting servers");
    let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
    let servers = tokio::select! {
        servers = DedicatedServers::start("chaos", &folder) => servers,
        _ = &mut interrupt => return Ok(ExitCode::from(130)),
    };
    let scenarios = possible(scenarios, servers.can_mount);
    let servers = ServerChoice::Dedicated(Arc::new(servers));
    let mut run = Run { servers, folder, random: Rng::with_seed(seed), results: Vec::new() };
    let end = Instant::now() + Duration::from_secs_f64(arguments.minutes * 60.0);
    let interrupted = tokio::select! {
        () = run.run_until(end, &scenarios) => false,
        _ = &mut interrupt => true,
    };
    run.print_table();
    if run.is_successful() {
        fs::remove_dir_all(&run.folder)?;
    }
    Ok(match (interrupted, run.is_successful()) {
        (true, _) => ExitCode::from(130),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    })
}

fn scenario(name: &str) -> Result<&'static Scenario, String> {
    find(name).ok_or_else(|| "not a scenario: see `cargo stack chaos --list`".to_owned())
}

/// Leaves out scenarios that mount file systems, if that is not permitted.
fn possible(mut scenarios: Vec<&'static Scenario>, can_mount: bool) -> Vec<&'static Scenario> {
    scenarios.retain(|scenario| {
        let is_possible = can_mount || !scenario.needs_mounts;
        if !is_possible {
            println!("{} is skipped: mounting a small disk requires root", scenario.name);
        }
        is_possible
    });
    scenarios
}

/// A seed that is short enough to type.
fn seed_from_clock() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(1, |time| time.as_secs() % 1_000_000)
}

/// A run of several scenarios.
struct Run {
    servers: ServerChoice,
    folder: PathBuf,
    random: Rng,
    results: Vec<(&'static str, Report)>,
}

impl Run {
    /// Runs at least one scenario. Each runs once before any is repeated.
    async fn run_until(&mut self, end: Instant, scenarios: &[&'static Scenario]) {
        println!(
            "{:>4}  {:<20} {:>20} {:>7} {:>8} {:>8} {:>9} {:>11}",
            "#", "scenario", "seed", "orders", "retries", "unknown", "recovery", "violations"
        );
        let mut left = Vec::new();
        loop {
            if left.is_empty() {
                left = scenarios.to_vec();
                self.random.shuffle(&mut left);
            }
            let Some(scenario) = left.pop() else { return };
            // A single scenario starts with the given seed, so that the line of an earlier run
            // can be repeated by its seed.
            let seed = if self.results.is_empty() && scenarios.len() == 1 {
                self.random.get_seed()
            } else {
                self.random.u64(..1_000_000_000)
            };
            if let Err(error) = self.run_one(scenario, seed).await {
                println!("{error:#}");
                return;
            }
            if Instant::now() >= end {
                return;
            }
        }
    }

    async fn run_one(&mut self, scenario: &'static Scenario, seed: u64) -> anyhow::Result<()> {
        let number = self.results.len() + 1;
        let logs = self.folder.join(format!("{number}-{}", scenario.name));
        fs::create_dir_all(&logs).with_context(|| format!("cannot create {}", logs.display()))?;
        let report = tokio::select! {
            report = run(scenario, &self.servers, seed, &logs) => report,
            () = show_progress(number, scenario.name) => unreachable!("it never ends"),
        };
        print_line(number, scenario.name, seed, &report);
        if report.violations.is_empty() {
            fs::remove_dir_all(&logs)?;
        } else {
            print_violations(&report, &logs);
        }
        self.results.push((scenario.name, report));
        Ok(())
    }

    fn is_successful(&self) -> bool {
        self.results.iter().all(|(_, report)| report.violations.is_empty())
    }

    fn print_table(&self) {
        let mut table = BTreeMap::<&str, Vec<&Report>>::new();
        for (name, report) in &self.results {
            table.entry(name).or_default().push(report);
        }
        println!();
        println!(
            "{:<20} {:>5} {:>8} {:>8} {:>8} {:>11} {:>15}",
            "scenario", "runs", "orders", "retries", "unknown", "violations", "worst recovery"
        );
        for (name, reports) in &table {
            print_row(name, reports);
        }
        print_row("all", &table.values().flatten().copied().collect::<Vec<_>>());
    }
}

fn print_row(name: &str, reports: &[&Report]) {
    let sum = |of: fn(&Report) -> usize| reports.iter().map(|report| of(report)).sum::<usize>();
    let worst = reports.iter().filter_map(|report| report.recovery).max();
    println!(
        "{name:<20} {:>5} {:>8} {:>8} {:>8} {:>11} {:>15}",
        reports.len(),
        sum(|report| report.orders),
        sum(|report| report.retries),
        sum(|report| report.unknown),
        sum(|report| report.violations.len()),
        seconds(worst),
    );
}

fn print_line(number: usize, name: &str, seed: u64, report: &Report) {
    println!(
        "{number:>4}  {name:<20} {seed:>20} {:>7} {:>8} {:>8} {:>9} {:>11}",
        report.orders,
        report.retries,
        report.unknown,
        seconds(report.recovery),
        report.violations.len(),
    );
}

/// Prints the violations, shortened, and writes them in full beside the logs.
fn print_violations(report: &Report, logs: &Path) {
    const SHOWN: usize = 2_000;
    for violation in &report.violations {
        println!("      {}", violation.chars().take(SHOWN).collect::<String>());
    }
    println!("      logs and violations are in {}", logs.display());
    let _ = fs::write(logs.join("violations"), report.violations.join("\n"));
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or_else(|| "never".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()))
}

/// Shows the current scenario and its duration on a terminal. Never ends.
async fn show_progress(number: usize, name: &str) {
    let began = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        if std::io::stderr().is_terminal() {
            eprint!("\r{number:>4}  {name} … {} s\r", began.elapsed().as_secs());
            let _ = std::io::stderr().flush();
        }
    }
}
