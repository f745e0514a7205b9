//! `cargo stack bench`: measurements on their own servers.

use crate::cargo_build::{build_during, cancellable_build};
use crate::foreground::{exit_code, run_to_end};
use crate::infrastructure::{Infrastructure, MAX_CONNECTIONS, Plan};
use crate::instance::Instance;
use crate::ports::Ports;
use crate::{interrupt, services, tools};
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const BENCH: &str = "bench";

/// Starts fresh servers, runs the bench with these arguments, and returns its exit code.
pub fn run(arguments: &[String]) -> Result<ExitCode> {
    if arguments.iter().any(|argument| ["--help", "-h", "--version"].contains(&argument.as_str())) {
        // These need no servers.
        return tools::run(BENCH, None, arguments);
    }
    let instance = Instance::open("bench", "bench")?;
    let ports = Ports::free_for_infrastructure()?;
    let plan = Plan {
        instance: &instance,
        ports: &ports,
        max_connections: MAX_CONNECTIONS,
        throw_away: true,
    };
    let (program, mut infrastructure) = build_and_start(&plan)?;
    let mut bench = Command::new(&program);
    bench.args(arguments);
    describe(&mut bench, &program, &infrastructure);
    let status = run_to_end(&mut bench);
    infrastructure.stop();
    instance.record.clear();
    let code = exit_code(status?);
    interrupt::check()?;
    Ok(code)
}

/// Builds the services and the bench while databases and broker start. Returns the bench's
/// program; the services are in its folder.
fn build_and_start(plan: &Plan<'_>) -> Result<(PathBuf, Infrastructure)> {
    let services = services::programs().map(|program| ["--bin", program]).concat();
    let mut cargo = plan.instance.project.cargo();
    cargo.args(["build", "--release"]).args(services).args(["--bin", BENCH]);
    let (programs, infrastructure) = build_during(
        |cancelled| cancellable_build(&mut cargo, "services and bench", cancelled),
        || Infrastructure::start(plan),
    )?;
    Ok((programs.path(BENCH)?.to_owned(), infrastructure))
}

/// Sets the environment of the bench: servers, programs and its folder.
fn describe(bench: &mut Command, program: &Path, infrastructure: &Infrastructure) {
    let processes = infrastructure.processes.iter().filter_map(|process| {
        let id = process.process_id()?;
        Some(format!("{}={id}", process.name()))
    });
    bench
        .envs(infrastructure.environment())
        .env("SERVICE_BINARIES", program.parent().unwrap_or(Path::new("")))
        .env("POSTGRES_BINARIES", &infrastructure.write.binaries.folder)
        .env("SERVER_PROCESSES", processes.collect::<Vec<_>>().join(","))
        .env("BENCH_FOLDER", &infrastructure.folder);
}
