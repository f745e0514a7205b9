//! Programs that a killed run has left running.
//!
//! Each run keeps a record of the programs that it has started. If the run is killed, they keep
//! running, and the next run stops them first. A process is one of them only if its process id
//! and its start time are those in the record, because process ids are reused.

use crate::terminal::Step;
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

const GRACE: Duration = Duration::from_secs(20);

/// The file that lists the running programs.
#[derive(Debug, Clone)]
pub struct Record(PathBuf);

/// One line of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    process: Pid,
    stop_signal: Signal,
    started: String,
    name: String,
}

impl Record {
    /// The record of the instance with that folder.
    pub fn of(folder: &Path) -> Self {
        Self(folder.join("processes"))
    }

    /// The file. It has a line for each program, in the order of their starts, with fields
    /// separated by tabs. The first field is the process id, the last is the name.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Adds a started program. An error is ignored: the record is used only if the tool is
    /// killed.
    pub fn add(&self, name: &str, process: Pid, stop_signal: Signal) {
        let Some(started) = start_time(process) else { return };
        let entry = Entry { process, stop_signal, started, name: name.to_owned() };
        if let Ok(mut file) = File::options().create(true).append(true).open(&self.0) {
            let _ = writeln!(file, "{}", entry.text());
        }
    }

    /// Deletes the record, after an orderly end.
    pub fn clear(&self) {
        let _ = fs::remove_file(&self.0);
    }

    /// Stops the programs of a killed run, the last started first: services before the broker
    /// and the databases that they use.
    pub fn stop_leftovers(&self) -> Result<()> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        let mut alive: Vec<Entry> =
            text.lines().filter_map(Entry::parse).filter(Entry::is_alive).collect();
        alive.reverse();
        if !alive.is_empty() {
            let names = alive.iter().map(|entry| &*entry.name).collect::<Vec<_>>().join(", ");
            let step = Step::begin(&format!("stop leftovers of a killed run ({names})"));
            for entry in &alive {
                entry.stop()?;
            }
            step.done("");
        }
        self.clear();
        Ok(())
    }
}

impl Entry {
    fn text(&self) -> String {
        format!("{}\t{}\t{}\t{}", self.process, self.stop_signal, self.started, self.name)
    }

    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split('\t');
        Some(Self {
            process: Pid::from_raw(fields.next()?.parse().ok()?),
            stop_signal: fields.next()?.parse().ok()?,
            started: fields.next()?.to_owned(),
            name: fields.next()?.to_owned(),
        })
    }

    fn is_alive(&self) -> bool {
        start_time(self.process).is_some_and(|started| started == self.started)
    }

    fn stop(&self) -> Result<()> {
        kill(self.process, self.stop_signal).with_context(|| {
            format!(
                "{} (process {}) of an earlier run is still running and cannot be stopped: \
                 stop it as the user who started it",
                self.name, self.process
            )
        })?;
        if !self.ends_within(GRACE) {
            let _ = killpg(self.process, Signal::SIGKILL);
            if !self.ends_within(GRACE) {
                bail!("{} (process {}) of an earlier run does not end", self.name, self.process);
            }
        }
        Ok(())
    }

    fn ends_within(&self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        while self.is_alive() {
            if Instant::now() >= deadline {
                return false;
            }
            thread::sleep(Duration::from_millis(50));
        }
        true
    }
}

/// When the process started, as a text to compare; none if there is no such process or it is a
/// zombie.
fn start_time(process: Pid) -> Option<String> {
    if !Path::new("/proc/self/stat").exists() {
        return start_time_from_ps(process);
    }
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    Some(format!("{} {}", boot.trim(), start_ticks(&stat)?))
}

/// Field 22 of `/proc/PID/stat` (proc(5)). Field 2, the name, may contain spaces and
/// parentheses, so fields are counted from its end.
fn start_ticks(stat: &str) -> Option<&str> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    (fields.next()? != "Z").then_some(())?;
    fields.nth(18)
}

fn start_time_from_ps(process: Pid) -> Option<String> {
    let ps =
        Command::new("ps").args(["-o", "lstart=", "-p", &process.to_string()]).output().ok()?;
    let started = String::from_utf8_lossy(&ps.stdout).trim().to_owned();
    (!started.is_empty()).then_some(started)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let entry = Entry {
            process: Pid::from_raw(4711),
            stop_signal: Signal::SIGINT,
            started: "abc 123".to_owned(),
            name: "read_db".to_owned(),
        };
        assert_eq!(Entry::parse(&entry.text()), Some(entry));
        assert_eq!(Entry::parse("not an entry"), None);
    }

    #[test]
    fn the_start_time_is_found_after_names_with_parentheses() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 0 0";
        assert_eq!(start_ticks(stat), Some("98765"));
        assert_eq!(start_ticks(&stat.replace(") S", ") Z")), None);
    }

    #[test]
    fn another_process_with_the_same_id_is_not_stopped() {
        let process = Pid::this();
        let mut entry = Entry {
            process,
            stop_signal: Signal::SIGTERM,
            started: start_time(process).unwrap_or_default(),
            name: String::new(),
        };
        assert!(entry.is_alive());
        entry.started.push('1');
        assert!(!entry.is_alive());
    }
}
