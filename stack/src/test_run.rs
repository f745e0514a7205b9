//! `cargo stack test`: the tests, with servers of their own.

use std::{
    os::unix::process::CommandExt,
    process::{Command, ExitCode, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::{
    infrastructure::{Infrastructure, Plan},
    instance_lock::InstanceLock,
    interrupt,
    leftovers::Record,
    ports::Ports,
    process,
    project::Project,
    service_build::{Executables, cargo_build},
};

/// Every test has databases and connection pools of its own, and many run at
/// once.
const MAX_CONNECTIONS: u16 = 500;
/// What is built: all that tests start and are.
pub const EVERYTHING: [&str; 2] = ["--bins", "--tests"];
/// How long cargo and the tests may take to end when a stop is asked for.
const GRACE: Duration = Duration::from_secs(10);

/// Runs `cargo test` and gives its exit code.
pub fn run(arguments: &[String]) -> Result<ExitCode> {
    let project = Project::locate()?;
    let folder = project.private_folder().join("test");
    let _lock = InstanceLock::acquire(&folder, "test")?;
    let record = Record::of(&folder);
    record.stop_leftovers()?;
    let ports = Ports::free_for_infrastructure()?;
    let plan = Plan {
        project: &project,
        folder: &folder,
        ports: &ports,
        max_connections: MAX_CONNECTIONS,
        record: &record,
        throw_away: true,
    };
    let (executables, mut infrastructure) = build_and_start(&plan)?;

    let mut test = project.cargo();
    test.args(["test", "--release"]);
    if !selects_packages(arguments) {
        // All but the examples in documentation, which `.ci/run` tries: their
        // summaries, most of them empty, would be the last thing to read.
        test.args(["--workspace", "--tests"]);
    }
    test.args(arguments).envs(infrastructure.environment());
    // System tests start the services; where cargo has put them is known here.
    if let Some(folder) = executables.get("command-service").and_then(|path| path.parent()) {
        test.env("SERVICE_BINARIES", folder);
    }
    let status = run_to_end(&mut test);
    infrastructure.stop();
    record.clear();
    let code = status?.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(101);
    interrupt::check()?;
    Ok(ExitCode::from(code))
}

/// Builds services and tests while databases and broker start.
fn build_and_start(plan: &Plan<'_>) -> Result<(Executables, Infrastructure)> {
    let failed = AtomicBool::new(false);
    thread::scope(|scope| {
        let build =
            scope.spawn(|| cargo_build(plan.project, "services and tests", &EVERYTHING, &failed));
        let infrastructure =
            Infrastructure::start(plan).inspect_err(|_| failed.store(true, Ordering::Relaxed));
        let executables = build.join().map_err(|_| anyhow!("the build panicked"))?;
        let infrastructure = infrastructure?;
        Ok((executables?, infrastructure))
    })
}

/// Whether the caller chose packages; cargo would ignore that after
/// `--workspace`.
fn selects_packages(arguments: &[String]) -> bool {
    arguments
        .iter()
        .take_while(|argument| *argument != "--")
        .any(|argument| argument.starts_with("-p") || argument.starts_with("--package"))
}

/// Runs a command that writes to the terminal itself. When a stop is asked for,
/// it is interrupted with everything that it has started.
pub fn run_to_end(command: &mut Command) -> Result<ExitStatus> {
    interrupt::check()?;
    let mut child =
        command.stdin(Stdio::null()).process_group(0).spawn().context("cannot run a program")?;
    let group = child.id();
    process::register_group(group);
    let pid = Pid::from_raw(i32::try_from(group).unwrap_or(i32::MAX));
    let mut asked: Option<Instant> = None;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        match asked {
            None if interrupt::requested() => {
                asked = Some(Instant::now());
                let _ = killpg(pid, Signal::SIGINT);
            }
            Some(since) if since.elapsed() > GRACE => {
                let _ = killpg(pid, Signal::SIGKILL);
            }
            _ => {}
        }
        thread::sleep(Duration::from_millis(50));
    };
    process::forget_group(group);
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_of_packages_is_noticed() {
        let arguments = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(selects_packages(&arguments("-p query-service")));
        assert!(selects_packages(&arguments("--package=query-service")));
        assert!(!selects_packages(&arguments("oversell -- -p")));
    }
}
