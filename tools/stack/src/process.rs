//! Starting the programs of a stack.

use crate::leftovers::Record;
use crate::logs::LogStream;
use crate::process_groups::ProcessGroup;
use crate::system_user::SystemUser;
use anyhow::{Context, Result};
use fs_err::File;
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

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
    pub environment: Vec<(&'static str, OsString)>,
    /// Its working directory, one that `user` can enter.
    pub directory: PathBuf,
    pub user: SystemUser,
    pub output: Output,
    /// The signal that requests an orderly end.
    pub stop_signal: Signal,
    /// How long it may take to end before it is killed.
    pub grace: Duration,
}

impl ProcessSpec {
    /// Starts the program and adds it to the record of running programs.
    pub fn spawn(&self, record: &Record) -> Result<ProcessGroup> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .envs(self.environment.iter().cloned())
            .current_dir(&self.directory);
        without_foreign_settings(&mut command);
        self.user.apply(&mut command);
        match &self.output {
            Output::File(path) => {
                let file = File::options().create(true).append(true).open(path)?.into_file();
                command.stdout(file.try_clone()?).stderr(file);
            }
            Output::Stream(_) => {
                command.stdout(Stdio::piped()).stderr(Stdio::piped());
            }
        }
        let mut process = ProcessGroup::spawn(&mut command)
            .with_context(|| format!("cannot start {} ({})", self.name, self.program.display()))?;
        record.add(&self.name, process.id(), self.stop_signal);
        if let Output::Stream(stream) = &self.output {
            let (stdout, stderr) = process.output();
            follow(stdout, stream);
            follow(stderr, stream);
        }
        Ok(process)
    }
}

/// Removes the caller's settings for databases and brokers (`PGHOST`, `DATABASE_USER`,
/// `RABBITMQ_NODENAME` …) from the environment of private servers and their services,
/// because they are meant for other servers.
pub fn without_foreign_settings(command: &mut Command) {
    remove_variables(command, &["PG", "DATABASE_", "RABBITMQ_", "BROKER_", "ERL_"]);
}

/// Removes variables with these prefixes from the environment that a command inherits. Those
/// that were set for the command stay.
pub fn remove_variables(command: &mut Command, prefixes: &[&str]) {
    let given: BTreeSet<OsString> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
    for (name, _) in std::env::vars_os().filter(|(name, _)| !given.contains(name)) {
        let text = name.to_string_lossy();
        if prefixes.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
}

/// The lines of a program's output.
pub fn lines(output: Option<impl Read>) -> impl Iterator<Item = String> {
    let lines = output.into_iter().flat_map(|output| BufReader::new(output).split(b'\n'));
    lines.map_while(Result::ok).map(|line| String::from_utf8_lossy(&line).into_owned())
}

/// Sends each line of a program's output to its stream, in a thread.
fn follow(output: Option<impl Read + Send + 'static>, stream: &LogStream) {
    let stream = stream.clone();
    thread::spawn(move || lines(output).for_each(|line| stream.line(line.trim_end())));
}
