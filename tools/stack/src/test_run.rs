//! `cargo stack test`: runs the tests and the servers that they use.

use crate::cargo_build::{Programs, build_during};
use crate::cli::TestArgs;
use crate::debian_packages::{PGBOUNCER, ensure, prepare_faketime};
use crate::foreground::run_to_end;
use crate::infrastructure::{MAX_CONNECTIONS_OF_TESTS, Plan};
use crate::instance::Instance;
use crate::ports::Ports;
use crate::project::Project;
use crate::server_binaries::{find_pgbouncer, find_postgres};
use crate::test_programs::{self, Chosen, Needs};
use crate::test_servers::TestServers;
use crate::{interrupt, terminal};
use anyhow::{Result, bail};
use std::process::ExitCode;

/// Builds the tests, runs the chosen ones, and returns 0 if all have passed.
pub fn run(args: &TestArgs) -> Result<ExitCode> {
    let instance = Instance::open("test", "test")?;
    let ports = Ports::free_for_infrastructure()?;
    let plan = Plan {
        instance: &instance,
        ports: &ports,
        max_connections: MAX_CONNECTIONS_OF_TESTS,
        throw_away: true,
    };
    let (programs, chosen, servers) =
        if args.selects() { build_then_start(&plan, args)? } else { build_and_start(&plan, args)? };
    let outcome = run_all(&instance.project, &programs, &chosen, &servers, args);
    drop(servers);
    instance.record.clear();
    let failed = outcome?;
    interrupt::check()?;
    if failed.is_empty() {
        let tests: usize = chosen.iter().map(|chosen| chosen.tests).sum();
        terminal::print(&format!("{tests} passed, 0 failed"));
        return Ok(ExitCode::SUCCESS);
    }
    terminal::note(&format!("Failed, see above: {}", failed.join(", ")));
    Ok(ExitCode::from(101))
}

type Prepared = (Programs, Vec<Chosen>, TestServers);

/// Builds the services and all tests while the servers start.
fn build_and_start(plan: &Plan<'_>, args: &TestArgs) -> Result<Prepared> {
    let project = &plan.instance.project;
    let (programs, servers) = build_during(
        |cancelled| test_programs::build_all(project, cancelled),
        || {
            prepare_faketime(&project.private_folder());
            TestServers::start(Needs::Everything, plan)
        },
    )?;
    let chosen = test_programs::choose(&programs, args)?;
    Ok((programs, chosen, servers))
}

/// Builds the chosen tests, then starts the servers that they use.
fn build_then_start(plan: &Plan<'_>, args: &TestArgs) -> Result<Prepared> {
    let programs = test_programs::build_chosen(&plan.instance.project, args)?;
    let chosen = test_programs::choose(&programs, args)?;
    if chosen.is_empty() {
        bail!(
            "no test matches: a filter is a part of a test's path, such as `oversell` or `rules::`"
        );
    }
    let needs = chosen.iter().map(|chosen| chosen.needs).max().unwrap_or(Needs::Nothing);
    if needs == Needs::Everything {
        prepare_faketime(&plan.instance.project.private_folder());
    }
    let servers = TestServers::start(needs, plan)?;
    Ok((programs, chosen, servers))
}

/// Runs one program after the other and returns the names of those that failed. Without
/// `--no-fail-fast` it stops after the first.
fn run_all(
    project: &Project,
    programs: &Programs,
    chosen: &[Chosen],
    servers: &TestServers,
    args: &TestArgs,
) -> Result<Vec<String>> {
    let uses_pgbouncer = chosen.iter().any(|chosen| chosen.pgbouncer);
    let pgbouncer = uses_pgbouncer
        .then(|| ensure(&project.private_folder(), &PGBOUNCER, find_pgbouncer))
        .transpose()?;
    let mut failed = Vec::new();
    for Chosen { program, .. } in chosen {
        terminal::note(&format!("\n{}", program.title()));
        let mut test = test_programs::command(program, args);
        test.envs(servers.environment.clone())
            .envs(pgbouncer.as_ref().map(|path| ("PGBOUNCER", path)));
        // A system test runs the documented client programs.
        if let Some(postgres) = find_postgres() {
            test.env("POSTGRES_PROGRAMS", postgres.folder);
        }
        // System tests start the services.
        if let Some(folder) = programs.path("command-service").ok().and_then(|path| path.parent()) {
            test.env("SERVICE_BINARIES", folder);
        }
        if !run_to_end(&mut test)?.success() {
            failed.push(program.title());
            if !args.no_fail_fast {
                break;
            }
        }
    }
    Ok(failed)
}
