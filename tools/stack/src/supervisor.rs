//! Watches the programs of a running stack and starts again what dies.
//!
//! A program that dies is started again after a pause that doubles with each
//! death in a row. One that keeps dying ends the stack: it would not get
//! better, and the reason would scroll away.

use std::{
    process::ExitStatus,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::{
    debian_packages::last_lines,
    interrupt,
    leftovers::Record,
    logs,
    process::{Output, ProcessSpec, RunningProcess},
    terminal::{self, RED, paint},
};

/// A program that has run for so long is well again.
const WELL_AFTER: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(16);
/// Deaths in a row that end the stack.
const DEATHS: u32 = 6;
const LAST_LINES: usize = 20;

/// A program that is kept running.
#[derive(Debug)]
pub struct Supervised {
    spec: ProcessSpec,
    state: State,
    started: Instant,
    deaths: u32,
    deaths_expected: bool,
}

#[derive(Debug)]
enum State {
    Running(RunningProcess),
    Pausing { until: Instant },
    Stopped,
}

impl Supervised {
    /// Starts the program.
    pub fn start(spec: ProcessSpec, record: &Record) -> Result<Self> {
        let process = spec.spawn(record)?;
        Ok(Self {
            spec,
            state: State::Running(process),
            started: Instant::now(),
            deaths: 0,
            deaths_expected: false,
        })
    }

    /// From now on somebody kills it to see what happens: each death counts as the
    /// first.
    pub fn expect_deaths(&mut self) {
        self.deaths_expected = true;
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Its process id, while it runs.
    pub fn process_id(&self) -> Option<i32> {
        match &self.state {
            State::Running(process) => Some(process.id()),
            State::Pausing { .. } | State::Stopped => None,
        }
    }

    /// How it ended, if it has. For the time before everything is ready, when
    /// nothing is started again.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        match &mut self.state {
            State::Running(process) => process.ended(),
            State::Pausing { .. } | State::Stopped => None,
        }
    }

    /// The last lines that it has written.
    pub fn last_words(&self) -> Vec<String> {
        match &self.spec.output {
            Output::File(path) => last_lines(path, LAST_LINES),
            Output::Stream(stream) => stream.last_lines(),
        }
    }

    /// Looks after the program once: notices its death, starts it again when
    /// its pause is over.
    pub fn tend(&mut self, record: &Record) -> Result<()> {
        match &mut self.state {
            State::Running(process) => {
                if let Some(status) = process.ended() {
                    self.died(status)?;
                }
            }
            State::Pausing { until } if Instant::now() >= *until => {
                self.state = State::Running(self.spec.spawn(record)?);
                self.started = Instant::now();
                terminal::note(&format!("{} started again", self.spec.name));
            }
            State::Pausing { .. } | State::Stopped => {}
        }
        Ok(())
    }

    fn died(&mut self, status: ExitStatus) -> Result<()> {
        let name = &self.spec.name;
        let is_first = self.deaths_expected || self.started.elapsed() >= WELL_AFTER;
        self.deaths = if is_first { 1 } else { self.deaths + 1 };
        terminal::note(&paint(RED, &format!("{name} has died ({status}); its last lines:")));
        for line in self.last_words() {
            terminal::note(&format!("    {}", logs::harmless(&line)));
        }
        if self.deaths >= DEATHS {
            bail!("{name} keeps dying ({} times in a row)", self.deaths);
        }
        let pause = pause_after(self.deaths);
        terminal::note(&format!("{name} is started again in {} s", pause.as_secs()));
        self.state = State::Pausing { until: Instant::now() + pause };
        Ok(())
    }

    /// Stops the program, orderly if it lets itself.
    pub fn stop(&mut self) {
        if let State::Running(process) = &mut self.state
            && process.ended().is_none()
            && !process.stop()
        {
            terminal::note(&format!("{} did not stop in time and was killed", self.spec.name));
        }
        self.state = State::Stopped;
    }
}

/// 1, 2, 4, 8, 16, 16 … seconds.
fn pause_after(deaths: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << deaths.saturating_sub(1).min(8)).min(LONGEST_PAUSE)
}

/// Keeps everything running until a stop is asked for or one of them keeps
/// dying.
pub fn tend_until_interrupted(all: &mut [&mut Supervised], record: &Record) -> Result<()> {
    while !interrupt::requested() {
        for supervised in all.iter_mut() {
            supervised.tend(record)?;
        }
        let _ = interrupt::sleep(Duration::from_millis(200));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound() {
        let seconds: Vec<u64> = (1..=7).map(|deaths| pause_after(deaths).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 16, 16]);
    }
}
