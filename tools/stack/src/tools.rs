//! `cargo stack load`, `verify`, `dead-letters`, `replay` and `keys`: separate crates, so that
//! `cargo stack up` is built quickly.

use std::{
    env,
    process::{Command, ExitCode},
};

use anyhow::Result;

use crate::{
    cargo_build::cargo_build,
    foreground::{exit_code, run_to_end},
    project::Project,
};

/// A program that runs beside the stack.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// Its name, which is also that of its package.
    program: &'static str,
    /// Its name in messages.
    title: &'static str,
    /// The subcommand, if it has several.
    command: Option<&'static str>,
}

pub const LOAD: Tool = of("load", "the load generator", None);
/// Compares the views with the write database.
pub const VERIFY: Tool = of("verify", "the verifier", None);
/// Manages events that could not be applied.
pub const DEAD_LETTERS: Tool = of("admin", "the operator's client", Some("dead-letters"));
/// Publishes history again.
pub const REPLAY: Tool = of("admin", "the operator's client", Some("replay"));
/// Manages API keys.
pub const KEYS: Tool = of("admin", "the operator's client", Some("keys"));

/// The variable that names the file of API keys, and its default, relative to the project's
/// root.
const KEYS_FILE: (&str, &str) = ("API_KEYS_FILE", "deploy/keys/api-keys.json");

const fn of(program: &'static str, title: &'static str, command: Option<&'static str>) -> Tool {
    Tool { program, title, command }
}

/// Builds the program, passes the arguments on, and returns its exit code.
pub fn run(tool: Tool, arguments: &[String]) -> Result<ExitCode> {
    let Tool { program, title, command } = tool;
    let project = Project::locate()?;
    // In the services' profile, so that dependencies are compiled once.
    let mut cargo = project.cargo();
    cargo.args(["build", "--release", "--bin", program]);
    let programs = cargo_build(&mut cargo, title)?;
    let (name, file) = KEYS_FILE;
    let keys_file = env::var_os(name).unwrap_or_else(|| project.root.join(file).into());
    // After Ctrl-C the program still prints its report.
    let status = run_to_end(
        Command::new(programs.path(program)?).args(command).args(arguments).env(name, keys_file),
    )?;
    Ok(exit_code(status))
}
