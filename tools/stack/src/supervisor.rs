//! Restarts the programs of a running stack that die.
//!
//! A program that dies is restarted after a backoff that doubles with each consecutive death.
//! A program that keeps dying ends the stack, so that the reason stays visible.

use crate::interrupt;
use crate::leftovers::Record;
use crate::logs::{self, last_lines};
use crate::process::{Output, ProcessSpec};
use crate::process_groups::ProcessGroup;
use crate::terminal::{self, RED, paint};
use anyhow::{Context, Result, bail};
use nix::unistd::Pid;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// A program that has run for this long is healthy again.
const HEALTHY_AFTER: Duration = Duration::from_secs(60);
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(16);
/// Consecutive deaths that end the stack.
const DEATHS: u32 = 6;
const LAST_LINES: usize = 20;

/// A program that is kept running. Dropping it stops the program, so that it does not outlive the
/// tool.
#[derive(Debug)]
pub struct Supervised {
    spec: ProcessSpec,
    /// None after it was stopped, and while it waits for its restart.
    process: Option<ProcessGroup>,
    restart_at: Option<Instant>,
    started: Instant,
    deaths: u32,
    deaths_expected: bool,
}

impl Supervised {
    pub fn start(spec: ProcessSpec, record: &Record) -> Result<Self> {
        Ok(Self {
            process: Some(spec.spawn(record)?),
            spec,
            restart_at: None,
            started: Instant::now(),
            deaths: 0,
            deaths_expected: false,
        })
    }

    /// From now on its deaths are intended: each counts as the first.
    pub fn expect_deaths(&mut self) {
        self.deaths_expected = true;
    }

    /// Its name in messages.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Its process id, while it runs.
    pub fn process_id(&self) -> Option<Pid> {
        self.process.as_ref().map(ProcessGroup::id)
    }

    /// Its exit status, if it has ended and is not yet restarted.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.as_mut()?.ended()
    }

    /// Repeats an attempt to use the program until it succeeds. Fails with the attempt's error
    /// after this time, or when the program has ended.
    pub fn wait_until_ready<T>(
        &mut self,
        time: Duration,
        attempt: impl Fn() -> Result<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + time;
        loop {
            match attempt() {
                Err(_) if self.ended().is_none() && Instant::now() < deadline => {
                    interrupt::sleep(Duration::from_millis(100))?;
                }
                outcome => return outcome.with_context(|| self.start_failure()),
            }
        }
    }

    fn start_failure(&self) -> String {
        let name = &self.spec.name;
        match &self.spec.output {
            Output::File(log) => format!("{name} does not start; its log: {}", log.display()),
            Output::Stream(_) => format!("{name} does not start"),
        }
    }

    /// Prints the last lines of its output.
    pub fn print_last_lines(&self) {
        let lines = match &self.spec.output {
            Output::File(path) => last_lines(path, LAST_LINES),
            Output::Stream(stream) => stream.last_lines(),
        };
        for line in lines {
            terminal::note(&format!("    {}", logs::sanitize(&line)));
        }
    }

    /// Checks the program once: detects its death, and restarts it after its backoff.
    pub fn check(&mut self, record: &Record) -> Result<()> {
        if let Some(status) = self.ended() {
            self.died(status)?;
        } else if self.restart_at.is_some_and(|at| Instant::now() >= at) {
            self.process = Some(self.spec.spawn(record)?);
            self.restart_at = None;
            self.started = Instant::now();
            terminal::note(&format!("{} restarted", self.spec.name));
        }
        Ok(())
    }

    fn died(&mut self, status: ExitStatus) -> Result<()> {
        let name = &self.spec.name;
        let is_first = self.deaths_expected || self.started.elapsed() >= HEALTHY_AFTER;
        self.deaths = if is_first { 1 } else { self.deaths + 1 };
        terminal::note(&paint(RED, &format!("{name} has died ({status}); its last lines:")));
        self.print_last_lines();
        if self.deaths >= DEATHS {
            bail!("{name} keeps dying ({} consecutive times)", self.deaths);
        }
        let backoff = backoff_after(self.deaths);
        terminal::note(&format!("{name} is restarted in {} s", backoff.as_secs()));
        self.restart_at = Some(Instant::now() + backoff);
        if let Some(process) = self.process.take() {
            process.kill();
        }
        Ok(())
    }

    /// Stops the program, by killing it if it does not end in time.
    pub fn stop(&mut self) {
        self.restart_at = None;
        if let Some(mut process) = self.process.take()
            && !process.stop(self.spec.stop_signal, self.spec.grace)
        {
            terminal::note(&format!("{} did not stop in time and was killed", self.spec.name));
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.stop();
    }
}

/// 1, 2, 4, 8, 16, 16 … seconds.
fn backoff_after(deaths: u32) -> Duration {
    FIRST_BACKOFF.saturating_mul(1 << deaths.saturating_sub(1).min(8)).min(LONGEST_BACKOFF)
}

/// Keeps all programs running until a stop is requested or one of them keeps dying.
pub fn supervise_until_interrupted(all: &mut [&mut Supervised], record: &Record) -> Result<()> {
    while !interrupt::requested() {
        for supervised in all.iter_mut() {
            supervised.check(record)?;
        }
        let _ = interrupt::sleep(Duration::from_millis(200));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_doubles_up_to_a_limit() {
        let seconds: Vec<u64> = (1..=7).map(|deaths| backoff_after(deaths).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 16, 16]);
    }
}
