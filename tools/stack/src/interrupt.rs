//! Ctrl-C and its relatives.
//!
//! The first signal asks for an orderly stop: whatever waits for something
//! calls [`check`] or [`sleep`] and gives up with [`Interrupted`]. The second
//! one kills what is running. (Signals are caught, not blocked: a blocked one
//! would stay blocked in every program that is started.)

use std::{
    fmt,
    process::exit,
    sync::atomic::{AtomicI32, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{process, terminal};

/// The signal that asked for the stop; 0 while none has.
static REQUESTED_BY: AtomicI32 = AtomicI32::new(0);

/// The error of everything that is given up because a stop was asked for.
#[derive(Debug)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("stopped, as asked")
    }
}

impl std::error::Error for Interrupted {}

/// Starts the thread that takes SIGINT, SIGTERM and SIGHUP.
pub fn watch_signals() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot catch signals")?;
    thread::spawn(move || {
        for signal in signals.forever() {
            if REQUESTED_BY.swap(signal, Ordering::SeqCst) == 0 {
                terminal::note("stopping (once more to kill everything at once) …");
            } else {
                terminal::note("killing everything");
                process::kill_all();
                exit(128 + signal);
            }
        }
    });
    Ok(())
}

/// Whether a stop was asked for.
pub fn requested() -> bool {
    REQUESTED_BY.load(Ordering::SeqCst) != 0
}

/// Gives up with [`Interrupted`] once a stop was asked for.
pub fn check() -> std::result::Result<(), Interrupted> {
    if requested() { Err(Interrupted) } else { Ok(()) }
}

/// Sleeps, but not past a request to stop.
pub fn sleep(duration: Duration) -> std::result::Result<(), Interrupted> {
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

/// The exit code of a run that failed: that of the signal if one ended it.
pub fn exit_code_of_failure() -> u8 {
    match u8::try_from(REQUESTED_BY.load(Ordering::SeqCst)) {
        Ok(0) | Err(_) => 1,
        Ok(signal) => 128 + signal,
    }
}
