//! `cargo stack chaos`: random faults. A program of the system tests causes them; it starts
//! its own servers by `cargo stack infra --throw-away`.

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::Result;

use crate::{
    cargo_build::cargo_build,
    debian_packages::prepare_faketime,
    foreground::{exit_code, run_to_end},
    interrupt,
    project::Project,
};

const CHAOS: &str = "chaos";

/// Builds everything, passes the arguments on, and returns the exit code.
pub fn run(arguments: &[String]) -> Result<ExitCode> {
    let project = Project::locate()?;
    prepare_faketime(&project.private_folder());
    let programs = cargo_build(
        project.cargo().args(["build", "--release", "--bins"]),
        "services and scenarios",
    )?;
    let program = programs.path(CHAOS)?;
    let mut chaos = Command::new(program);
    chaos.args(arguments).env("SERVICE_BINARIES", program.parent().unwrap_or(Path::new("")));
    // After Ctrl-C the program still prints a table of what it did.
    let status = run_to_end(&mut chaos)?;
    interrupt::check()?;
    Ok(exit_code(status))
}
