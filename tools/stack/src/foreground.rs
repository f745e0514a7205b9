//! Runs a program in the foreground: it writes to the terminal itself.

use std::{
    os::unix::process::CommandExt,
    process::{Command, ExitCode, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::{interrupt, process_groups};

/// How long the program may take to end after a stop was requested.
const GRACE: Duration = Duration::from_secs(10);

/// Runs a command to its end. When a stop is requested, the program and everything that it
/// has started are interrupted.
pub fn run_to_end(command: &mut Command) -> Result<ExitStatus> {
    interrupt::check()?;
    let mut child =
        command.stdin(Stdio::null()).process_group(0).spawn().context("cannot run a program")?;
    let group = i32::try_from(child.id())?;
    process_groups::register(group);
    let mut interrupted: Option<Instant> = None;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        match interrupted {
            None if interrupt::requested() => {
                interrupted = Some(Instant::now());
                let _ = killpg(Pid::from_raw(group), Signal::SIGINT);
            }
            Some(since) if since.elapsed() > GRACE => {
                let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
            }
            _ => {}
        }
        thread::sleep(Duration::from_millis(50));
    };
    process_groups::forget(group);
    Ok(status)
}

/// The exit code of a program; 1 if a signal ended it.
pub fn exit_code(status: ExitStatus) -> ExitCode {
    ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
