//! `cargo stack chaos`: random faults. What breaks things is a program of the system
//! tests, which starts its own servers by `cargo stack infra --throw-away`.

use std::{
    path::Path,
    process::{Command, ExitCode},
    sync::atomic::AtomicBool,
};

use anyhow::{Context, Result};

use crate::{
    interrupt,
    project::Project,
    service_build::cargo_build,
    test_run::{EVERYTHING, run_to_end},
};

/// The program.
const CHAOS: &str = "chaos";

/// Builds everything, hands the arguments on, and gives the exit code.
pub fn run(arguments: &[String]) -> Result<ExitCode> {
    let project = Project::locate()?;
    let nothing_else = AtomicBool::new(false);
    let executables = cargo_build(&project, "services and scenarios", &EVERYTHING, &nothing_else)?;
    let program = executables.get(CHAOS).context("cargo has built no program `chaos`")?;
    let mut chaos = Command::new(program);
    chaos.args(arguments).env("SERVICE_BINARIES", program.parent().unwrap_or(Path::new("")));
    // Ctrl-C is passed on, and the table of what was done until then awaited.
    let status = run_to_end(&mut chaos)?;
    interrupt::check()?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
