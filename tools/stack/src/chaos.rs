//! `cargo stack chaos`: random faults. What breaks things is a program of the system
//! tests, which starts its own servers by `cargo stack infra --throw-away`.

use std::{
    path::Path,
    process::{Command, ExitCode},
    sync::atomic::AtomicBool,
};

use anyhow::Result;

use crate::{
    cargo_build::cargo_build, debian_packages::prepare_faketime, foreground::run_to_end, interrupt,
    project::Project,
};

/// The program.
const CHAOS: &str = "chaos";

/// Builds everything, hands the arguments on, and gives the exit code.
pub fn run(arguments: &[String]) -> Result<ExitCode> {
    let project = Project::locate()?;
    prepare_faketime(&project.private_folder());
    let nothing_else = AtomicBool::new(false);
    let programs = cargo_build(
        project.cargo().args(["build", "--release", "--bins"]),
        "services and scenarios",
        &nothing_else,
    )?;
    let program = programs.path(CHAOS)?;
    let mut chaos = Command::new(program);
    chaos.args(arguments).env("SERVICE_BINARIES", program.parent().unwrap_or(Path::new("")));
    // Ctrl-C is passed on, and the table of what was done until then awaited.
    let status = run_to_end(&mut chaos)?;
    interrupt::check()?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
