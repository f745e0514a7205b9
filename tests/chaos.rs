//! `cargo stack chaos`: random faults, one after the other, for as long as asked.

#![allow(clippy::print_stdout, reason = "it is a program for a terminal")]

use anyhow::{Context, bail};
use clap::Parser;
use fastrand::Rng;
use std::collections::BTreeMap;
use std::fs;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use system_tests::faults::{Place, Report, SCENARIOS, Scenario, named, play};
use system_tests::harness::DedicatedServers;

/// Breaks services, links, brokers and databases at random, and looks whether anything
/// was lost or doubled.
#[derive(Debug, Parser)]
#[command(name = "cargo stack chaos", bin_name = "cargo stack chaos")]
struct Arguments {
    /// For how long; the scenario that runs then is played to its end.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Same seed, same scenarios with the same choices. From the clock if absent.
    #[arg(long)]
    seed: Option<u64>,
    /// Only this scenario, again and again.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Name the scenarios, and play none.
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
    let scenarios = chosen(arguments.only.as_deref())?;
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
    let place = Place::Own(Arc::new(servers));
    let mut run = Run { place, folder, random: Rng::with_seed(seed), results: Vec::new() };
    let end = Instant::now() + Duration::from_secs_f64(arguments.minutes * 60.0);
    let interrupted = tokio::select! {
        () = run.play_until(end, &scenarios) => false,
        _ = &mut interrupt => true,
    };
    run.print_table();
    if run.found_nothing() {
        fs::remove_dir_all(&run.folder)?;
    }
    Ok(match (interrupted, run.found_nothing()) {
        (true, _) => ExitCode::from(130),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    })
}

fn chosen(only: Option<&str>) -> anyhow::Result<Vec<&'static Scenario>> {
    let Some(name) = only else { return Ok(SCENARIOS.iter().collect()) };
    match named(name) {
        Some(scenario) => Ok(vec![scenario]),
        None => bail!("there is no scenario {name}: see `cargo stack chaos --list`"),
    }
}

/// Without those that mount file systems, if that is not permitted.
fn possible(mut scenarios: Vec<&'static Scenario>, can_mount: bool) -> Vec<&'static Scenario> {
    scenarios.retain(|scenario| {
        let is_possible = can_mount || !scenario.mounts;
        if !is_possible {
            println!("{} is skipped: it needs root, to mount a small disk", scenario.name);
        }
        is_possible
    });
    scenarios
}

/// Short enough to be typed.
fn seed_from_clock() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(1, |time| time.as_secs() % 1_000_000)
}

/// A run under way.
struct Run {
    place: Place,
    folder: PathBuf,
    random: Rng,
    results: Vec<(&'static str, Report)>,
}

impl Run {
    /// Plays at least one scenario. Each is played once before any comes again.
    async fn play_until(&mut self, end: Instant, scenarios: &[&'static Scenario]) {
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
            // The first seed is the one that was given, so that a single scenario can be
            // played again by the seed in its line.
            let seed = if self.results.is_empty() && scenarios.len() == 1 {
                self.random.get_seed()
            } else {
                self.random.u64(..1_000_000_000)
            };
            if let Err(error) = self.play(scenario, seed).await {
                println!("{error:#}");
                return;
            }
            if Instant::now() >= end {
                return;
            }
        }
    }

    async fn play(&mut self, scenario: &'static Scenario, seed: u64) -> anyhow::Result<()> {
        let number = self.results.len() + 1;
        let logs = self.folder.join(format!("{number}-{}", scenario.name));
        fs::create_dir_all(&logs).with_context(|| format!("cannot create {}", logs.display()))?;
        let report = tokio::select! {
            report = play(scenario, &self.place, seed, &logs) => report,
            () = show_progress(number, scenario.name) => unreachable!("it has no end"),
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

    fn found_nothing(&self) -> bool {
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

/// What was found, as far as a screen holds it; all of it beside the logs.
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

/// On a terminal, shows what is being played and for how long; never ends.
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
