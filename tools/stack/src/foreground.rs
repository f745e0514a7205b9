//! Running a program that writes to the terminal itself.

use std::{
    os::unix::process::CommandExt,
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::{interrupt, process};

/// How long the program may take to end when a stop is asked for.
const GRACE: Duration = Duration::from_secs(10);

/// Runs a command to its end. When a stop is asked for, it is interrupted together with
/// everything that it has started.
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
