//! Starting and stopping the programs of a stack.
//!
//! Each program runs in a process group of its own. So a Ctrl-C in the terminal reaches only
//! this tool, which then stops the programs in the right order.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::File,
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

use crate::{leftovers::Record, logs::LogStream, process_groups, system_user::SystemUser};

/// Time between two checks whether a program has ended.
const POLL: Duration = Duration::from_millis(50);

/// Where a program's output goes.
#[derive(Debug, Clone)]
pub enum Output {
    /// Appended to a file.
    File(PathBuf),
    /// Line by line to the terminal.
    Stream(LogStream),
}

/// How to start a program and how to stop it.
#[derive(Debug, Clone)]
pub struct ProcessSpec {
    /// The name in messages: `db`, `broker`, `query-service`.
    pub name: String,
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// Variables added to the environment.
    pub environment: Vec<(String, OsString)>,
    /// Its working directory, one that `user` can enter.
    pub directory: PathBuf,
    /// The user that it runs as; none for the current user.
    pub user: Option<SystemUser>,
    pub output: Output,
    /// The signal that requests an orderly end.
    pub stop_signal: Signal,
    /// How long it may take to end before it is killed.
    pub grace: Duration,
}

impl ProcessSpec {
    /// The same program, stopped by another signal.
    pub fn stopped_by(self, stop_signal: Signal) -> Self {
        Self { stop_signal, ..self }
    }

    /// Starts the program and adds it to the record of running programs.
    pub fn spawn(&self, record: &Record) -> Result<RunningProcess> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .process_group(0);
        without_foreign_settings(&mut command);
        if let Some(user) = self.user {
            user.apply(&mut command);
        }
        self.direct_output(&mut command)?;
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {} ({})", self.name, self.program.display()))?;
        let group = i32::try_from(child.id()).unwrap_or(0);
        process_groups::register(group);
        record.add(&self.name, group, self.stop_signal);
        if let Output::Stream(stream) = &self.output {
            follow(child.stdout.take(), stream);
            follow(child.stderr.take(), stream);
        }
        Ok(RunningProcess { child, group, stop_signal: self.stop_signal, grace: self.grace })
    }

    fn direct_output(&self, command: &mut Command) -> Result<()> {
        match &self.output {
            Output::File(path) => {
                let file = File::options()
                    .create(true)
                    .append(true)
                    .open(path)
                    .with_context(|| format!("cannot write {}", path.display()))?;
                command.stdout(file.try_clone()?).stderr(file);
            }
            Output::Stream(_) => {
                command.stdout(Stdio::piped()).stderr(Stdio::piped());
            }
        }
        Ok(())
    }
}

/// Prefixes of variables for databases and brokers.
const FOREIGN: [&str; 5] = ["PG", "DATABASE_", "RABBITMQ_", "BROKER_", "ERL_"];

/// Removes the caller's settings for databases and brokers (`PGHOST`, `DATABASE_USER`,
/// `RABBITMQ_NODENAME` …) from the environment of private servers and their services,
/// because they are meant for other servers.
pub fn without_foreign_settings(command: &mut Command) {
    let given: BTreeSet<OsString> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let foreign = FOREIGN.iter().any(|prefix| text.starts_with(prefix));
        if foreign && !given.contains(&name) {
            command.env_remove(&name);
        }
    }
}

/// Sends each line of a program's output to its stream, in a thread.
fn follow(output: Option<impl Read + Send + 'static>, stream: &LogStream) {
    let Some(output) = output else { return };
    let stream = stream.clone();
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n') {
            let Ok(line) = line else { return };
            stream.line(String::from_utf8_lossy(&line).trim_end());
        }
    });
}

#[derive(Debug)]
pub struct RunningProcess {
    child: Child,
    group: i32,
    stop_signal: Signal,
    grace: Duration,
}

impl RunningProcess {
    /// Its process id, which is also the id of its group.
    pub const fn id(&self) -> i32 {
        self.group
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Requests its end, waits for the grace period, then kills its group. Returns whether it
    /// ended by itself.
    pub fn stop(&mut self) -> bool {
        let _ = kill(Pid::from_raw(self.group), self.stop_signal);
        let deadline = Instant::now() + self.grace;
        while self.ended().is_none() {
            if Instant::now() >= deadline {
                self.kill();
                return false;
            }
            thread::sleep(POLL);
        }
        self.end_group();
        true
    }

    fn kill(&mut self) {
        self.end_group();
        let _ = self.child.wait();
    }

    /// Kills, once, everything in the program's group. What a program leaves behind there can
    /// prevent its next start: the workers of a killed nginx keep its port.
    fn end_group(&self) {
        if process_groups::forget(self.group) {
            let _ = killpg(Pid::from_raw(self.group), Signal::SIGKILL);
        }
    }
}

impl Drop for RunningProcess {
    /// However the tool ends, no program keeps running.
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.stop();
        }
        self.end_group();
    }
}
