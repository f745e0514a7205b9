//! Ctrl-C, SIGTERM and SIGHUP.
//!
//! The first signal requests an orderly stop: all waits call [`check`] or [`sleep`], which
//! then fail with [`STOPPED`]. The second signal kills what is running. Signals are
//! caught, not blocked: a blocked signal would stay blocked in every program that is started.

use crate::{process_groups, terminal};
use anyhow::{Context, Result, ensure};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::process::exit;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The signal that requested the stop; 0 if none has.
static REQUESTED_BY: AtomicI32 = AtomicI32::new(0);

/// The error of a wait that ends because a stop was requested.
pub const STOPPED: &str = "stopped on request";

/// Starts the thread that handles SIGINT, SIGTERM and SIGHUP.
pub fn watch_signals() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot catch signals")?;
    thread::spawn(move || {
        for signal in signals.forever() {
            if REQUESTED_BY.swap(signal, Ordering::SeqCst) == 0 {
                terminal::note("stopping (press Ctrl-C again to kill everything at once) …");
            } else {
                terminal::note("killing everything");
                process_groups::kill_all();
                exit(128 + signal);
            }
        }
    });
    Ok(())
}

pub fn requested() -> bool {
    REQUESTED_BY.load(Ordering::SeqCst) != 0
}

/// Fails if a stop was requested.
pub fn check() -> Result<()> {
    ensure!(!requested(), STOPPED);
    Ok(())
}

/// Sleeps; fails if a stop is requested meanwhile.
pub fn sleep(duration: Duration) -> Result<()> {
    let until = Instant::now() + duration;
    loop {
        check()?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(Duration::from_millis(50)));
    }
}

/// The exit code of a failed run: that of the signal if one requested the stop.
pub fn exit_code_of_failure() -> u8 {
    match u8::try_from(REQUESTED_BY.load(Ordering::SeqCst)) {
        Ok(0) | Err(_) => 1,
        Ok(signal) => 128 + signal,
    }
}
