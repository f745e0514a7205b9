//! Building with cargo, with progress.

use crate::interrupt;
use crate::process::lines;
use crate::process_groups::ProcessGroup;
use crate::terminal::{self, Step};
use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// An executable that cargo has built, or found up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub name: String,
    pub package: String,
    pub folder: PathBuf,
    /// Whether it is the target's test program.
    pub is_test: bool,
    pub path: PathBuf,
}

impl Program {
    /// Its name in messages: its package, and the target if that has another name.
    pub fn title(&self) -> String {
        if self.name.replace('_', "-") == self.package {
            self.package.clone()
        } else {
            format!("{} ({})", self.package, self.name)
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Programs(pub Vec<Program>);

impl Programs {
    /// The program of that name; not its tests.
    pub fn path(&self, name: &str) -> Result<&Path> {
        let program = self.0.iter().find(|program| !program.is_test && program.name == name);
        program.map(|program| program.path.as_path()).with_context(|| {
            format!("cargo has built no program {name}: has the package been renamed?")
        })
    }

    pub fn tests(&self) -> impl Iterator<Item = &Program> {
        self.0.iter().filter(|program| program.is_test)
    }
}

/// Runs a build while `start` runs, and returns both results. If `start` fails, the build is
/// cancelled.
pub fn build_during<T>(
    build: impl FnOnce(&AtomicBool) -> Result<Programs> + Send,
    start: impl FnOnce() -> Result<T>,
) -> Result<(Programs, T)> {
    let cancelled = AtomicBool::new(false);
    thread::scope(|scope| {
        let build = scope.spawn(|| build(&cancelled));
        let started = start().inspect_err(|_| cancelled.store(true, Ordering::Relaxed));
        let programs = build.join().map_err(|_| anyhow!("the build panicked"))?;
        // An error of `start` comes first: it is why the build was cancelled.
        let started = started?;
        Ok((programs?, started))
    })
}

/// Runs a build that nothing cancels: see [`cancellable_build`].
pub fn cargo_build(cargo: &mut Command, what: &str) -> Result<Programs> {
    cancellable_build(cargo, what, &AtomicBool::new(false))
}

/// Runs cargo, which was given a subcommand, a profile and targets, for the whole workspace
/// and returns the executables. Ends when a stop is requested or `cancelled` becomes true.
///
/// `--workspace` unifies the features of dependencies over all packages, for any choice of
/// targets. With another choice of packages cargo would compile dependencies again.
pub fn cancellable_build(
    cargo: &mut Command,
    what: &str,
    cancelled: &AtomicBool,
) -> Result<Programs> {
    let step = Step::begin(&format!("build {what}"));
    cargo
        .args(["--workspace", "--message-format=json-render-diagnostics", "--color=never"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut cargo = ProcessGroup::spawn(cargo).context("cannot run cargo")?;
    let (stdout, stderr) = cargo.output();
    let is_unwanted = || interrupt::requested() || cancelled.load(Ordering::Relaxed);
    let (status, programs, log) = thread::scope(|scope| {
        let programs = scope.spawn(|| lines(stdout).filter_map(|line| program(&line)).collect());
        let log = scope.spawn(|| follow(stderr, &step));
        // cargo does not forward signals to the compilers that it has started.
        let status = cargo.wait(is_unwanted, Signal::SIGTERM);
        (status, programs.join().unwrap_or_default(), log.join().unwrap_or_default())
    });
    if !status?.success() {
        interrupt::check()?;
        if cancelled.load(Ordering::Relaxed) {
            bail!("the build was cancelled");
        }
        drop(step);
        log.messages.iter().for_each(|message| terminal::note(message));
        bail!("building {what} failed: see the compiler's messages above");
    }
    match log.crates.len() {
        0 => step.done("up to date"),
        crates => step.done(&format!("{crates} crates")),
    }
    Ok(Programs(programs))
}

/// What cargo has reported on standard error.
#[derive(Debug, Default)]
struct Log {
    crates: BTreeSet<String>,
    /// Warnings and errors.
    messages: Vec<String>,
}

/// Reads cargo's reports to their end and shows the progress.
fn follow(stderr: Option<impl Read>, step: &Step) -> Log {
    const UNIMPORTANT: [&str; 5] =
        ["Downloaded ", "Updating ", "Locking ", "Adding ", "Executable "];
    let mut log = Log::default();
    for line in lines(stderr) {
        let words = line.trim_start();
        if let Some(name) = words.strip_prefix("Compiling ") {
            let name = name.split(' ').next().unwrap_or(name);
            log.crates.insert(name.to_owned());
            step.detail(&format!("crate {}: {name}", log.crates.len()));
        } else if words.starts_with("Blocking waiting") {
            step.detail("waiting for another cargo to finish");
        } else if let Some(what) = words.strip_prefix("Downloading ") {
            step.detail(&format!("downloading {what}"));
        } else if !UNIMPORTANT.iter().any(|word| words.starts_with(word)) {
            log.messages.push(line);
        }
    }
    log
}

/// The program that a message of cargo is about, if it is one with the reason
/// `compiler-artifact`: other messages lack some of these fields.
/// <https://doc.rust-lang.org/cargo/reference/external-tools.html#artifact-messages>
fn program(message: &str) -> Option<Program> {
    let message: Value = serde_json::from_str(message).ok()?;
    Some(Program {
        name: message["target"]["name"].as_str()?.to_owned(),
        package: package_name(message["package_id"].as_str()?)?.to_owned(),
        folder: Path::new(message["manifest_path"].as_str()?).parent()?.to_owned(),
        is_test: message["profile"]["test"].as_bool()?,
        path: message["executable"].as_str()?.into(),
    })
}

/// The name in a package id: `path+file:///shop/tests#system-tests@0.1.0`, or
/// `path+file:///shop/load#0.1.0` where the folder has the package's name.
fn package_name(id: &str) -> Option<&str> {
    let (url, fragment) = id.rsplit_once('#')?;
    fragment.split_once('@').map(|(name, _)| name).or_else(|| url.rsplit('/').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(package_id: &str, name: &str, test: bool, executable: &str) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","package_id":"{package_id}","manifest_path":"/s/x/Cargo.toml",
            "target":{{"kind":["bin"],"name":"{name}"}},"profile":{{"opt_level":"0","test":{test}}},
            "executable":{executable},"fresh":true}}"#
        )
    }

    #[test]
    fn programs_and_test_programs_are_distinguished() -> Result<()> {
        let id = "path+file:///s/query-service#0.1.0";
        let messages = [
            artifact(id, "query-service", false, r#""/t/a \"b\"/query-service""#),
            artifact(id, "query-service", true, r#""/t/deps/query_service-1""#),
            artifact(id, "lib", false, "null"),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ];
        let programs = Programs(messages.iter().filter_map(|message| program(message)).collect());
        assert_eq!(programs.0.len(), 2);
        assert_eq!(programs.path("query-service")?, Path::new("/t/a \"b\"/query-service"));
        assert!(programs.path("lib").is_err());
        let tests: Vec<_> = programs.tests().map(|program| &*program.package).collect();
        assert_eq!(tests, ["query-service"]);
        Ok(())
    }

    #[test]
    fn a_package_has_the_name_of_its_folder_unless_its_id_names_another() {
        assert_eq!(package_name("path+file:///s/load#0.1.0"), Some("load"));
        assert_eq!(package_name("path+file:///s/tests#system-tests@0.1.0"), Some("system-tests"));
        assert_eq!(package_name("nothing"), None);
    }
}
