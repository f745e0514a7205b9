//! Runs a program in the foreground: it writes to the terminal itself.

use crate::interrupt;
use crate::process_groups::ProcessGroup;
use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use std::process::{Command, ExitCode, ExitStatus};

/// Runs a command to its end. When a stop is requested, the program and everything that it
/// has started are interrupted.
pub fn run_to_end(command: &mut Command) -> Result<ExitStatus> {
    interrupt::check()?;
    let mut program = ProcessGroup::spawn(command).context("cannot run a program")?;
    Ok(program.wait(interrupt::requested, Signal::SIGINT)?)
}

/// The exit code of a program; 1 if a signal ended it.
pub fn exit_code(status: ExitStatus) -> ExitCode {
    ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
