//! `cargo stack load`, `verify`, `dead-letters`, `replay` and `keys`: crates of their own,
//! so that `cargo stack up` is built quickly.

use std::{
    env,
    process::{Command, ExitCode},
    sync::atomic::AtomicBool,
};

use anyhow::Result;

use crate::{cargo_build::cargo_build, foreground::run_to_end, project::Project};

/// A program that runs beside the stack.
#[derive(Debug, Clone, Copy)]
pub struct Companion {
    /// What its package is called as well.
    program: &'static str,
    /// What people call it.
    title: &'static str,
    /// What it is to do, if it does several things.
    command: Option<&'static str>,
}

/// The load generator.
pub const LOAD: Companion = of("load", "the load generator", None);
/// What compares the views with the write database.
pub const VERIFY: Companion = of("verify", "the verifier", None);
/// What looks after events that could not be applied.
pub const DEAD_LETTERS: Companion = of("admin", "the operator's client", Some("dead-letters"));
/// What has history published again.
pub const REPLAY: Companion = of("admin", "the operator's client", Some("replay"));
/// What makes and revokes API keys.
pub const KEYS: Companion = of("admin", "the operator's client", Some("keys"));

/// Names the file of API keys, and where it is in the project, as services find it that
/// are started from its root.
const KEYS_FILE: (&str, &str) = ("API_KEYS_FILE", "deploy/keys/api-keys.json");

const fn of(
    program: &'static str,
    title: &'static str,
    command: Option<&'static str>,
) -> Companion {
    Companion { program, title, command }
}

/// Builds the program, hands the arguments on, and gives its exit code.
pub fn run(companion: Companion, arguments: &[String]) -> Result<ExitCode> {
    let Companion { program, title, command } = companion;
    let project = Project::locate()?;
    let nothing_else = AtomicBool::new(false);
    // As fast as the services that it runs beside, and with the same dependencies.
    let mut cargo = project.cargo();
    cargo.args(["build", "--release", "--bin", program]);
    let programs = cargo_build(&mut cargo, title, &nothing_else)?;
    let (name, file) = KEYS_FILE;
    let keys_file = env::var_os(name).unwrap_or_else(|| project.root.join(file).into());
    // Ctrl-C is passed on, and the report of what was done until then awaited.
    let status = run_to_end(
        Command::new(programs.path(program)?).args(command).args(arguments).env(name, keys_file),
    )?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
