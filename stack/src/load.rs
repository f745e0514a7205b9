//! `cargo stack load`: a crate of its own, so that `cargo stack up` is built
//! quickly.

use std::{
    process::{Command, ExitCode},
    sync::atomic::AtomicBool,
};

use anyhow::{Context, Result};

use crate::{project::Project, service_build::cargo_build, test_run::run_to_end};

/// The package, and its program.
const LOAD: &str = "load";

/// Builds the load generator, hands the arguments on, and gives its exit code.
pub fn run(arguments: &[String]) -> Result<ExitCode> {
    let project = Project::locate()?;
    let nothing_else = AtomicBool::new(false);
    let executables =
        cargo_build(&project, "the load generator", &["--package", LOAD], &nothing_else)?;
    let program = executables.get(LOAD).context("cargo has built no program `load`")?;
    // Ctrl-C is passed on, and the report of what was done until then awaited.
    let status = run_to_end(Command::new(program).args(arguments))?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
