//! Commands that are programs of separate crates, so that `cargo stack up` is built quickly.

use crate::cargo_build::cargo_build;
use crate::debian_packages::prepare_faketime;
use crate::foreground::{exit_code, run_to_end};
use crate::interrupt;
use crate::project::Project;
use anyhow::Result;
use std::env;
use std::path::Path;
use std::process::{Command, ExitCode};

/// The variable that names the file of API keys, and its default, relative to the project's
/// root.
const KEYS_FILE: (&str, &str) = ("API_KEYS_FILE", "deploy/keys/api-keys.json");

/// Runs a program beside the stack: `load`, `verify`, or `admin` with one of its subcommands.
/// Builds it, passes the arguments on, and returns its exit code.
pub fn run(program: &str, subcommand: Option<&str>, arguments: &[String]) -> Result<ExitCode> {
    let project = Project::locate()?;
    // In the services' profile, so that dependencies are compiled once.
    let mut cargo = project.cargo();
    cargo.args(["build", "--release", "--bin", program]);
    let programs = cargo_build(&mut cargo, &format!("the program `{program}`"))?;
    let (name, file) = KEYS_FILE;
    let keys_file = env::var_os(name).unwrap_or_else(|| project.root.join(file).into());
    let mut command = Command::new(programs.path(program)?);
    // After Ctrl-C the program still prints its report.
    let status = run_to_end(command.args(subcommand).args(arguments).env(name, keys_file))?;
    Ok(exit_code(status))
}

/// `cargo stack chaos`: random faults. A program of the system tests causes them; it starts its
/// own servers by `cargo stack infra --throw-away`.
pub fn run_chaos(arguments: &[String]) -> Result<ExitCode> {
    let project = Project::locate()?;
    prepare_faketime(&project.private_folder());
    let mut cargo = project.cargo();
    cargo.args(["build", "--release", "--bins"]);
    let programs = cargo_build(&mut cargo, "services and scenarios")?;
    let chaos = programs.path("chaos")?;
    let services = chaos.parent().unwrap_or(Path::new(""));
    // After Ctrl-C the program still prints a table of what it did.
    let status = run_to_end(Command::new(chaos).args(arguments).env("SERVICE_BINARIES", services))?;
    interrupt::check()?;
    Ok(exit_code(status))
}

/// Writes the files that the crate `api-docs` generates from the services' OpenAPI documents, or
/// checks them.
pub fn run_api_docs(check: bool) -> Result<ExitCode> {
    let mut cargo = Project::locate()?.cargo();
    // In the dev profile, like the tests.
    cargo.args(["build", "--bin", "api-docs"]);
    let programs = cargo_build(&mut cargo, "the API documentation")?;
    let mut command = Command::new(programs.path("api-docs")?);
    Ok(exit_code(run_to_end(command.args(check.then_some("--check")))?))
}
