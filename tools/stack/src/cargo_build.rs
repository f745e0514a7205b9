//! Building with cargo, with progress.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde::Deserialize;

use crate::{
    interrupt, process_groups,
    terminal::{self, Step},
};

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

/// The state of a running build.
#[derive(Debug, Default)]
struct Build {
    programs: Mutex<Vec<Program>>,
    crates: Mutex<BTreeSet<String>>,
    messages: Mutex<Vec<String>>,
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
/// `--workspace` unifies the features of dependencies over all packages, independent of the
/// targets are. For other packages cargo would compile dependencies again.
pub fn cancellable_build(
    cargo: &mut Command,
    what: &str,
    cancelled: &AtomicBool,
) -> Result<Programs> {
    let step = Step::begin(&format!("build {what}"));
    cargo.args(["--workspace", "--message-format=json-render-diagnostics", "--color=never"]);
    let build = Build::default();
    if !run(cargo, &build, &step, cancelled)? {
        interrupt::check()?;
        if cancelled.load(Ordering::Relaxed) {
            bail!("the build was cancelled");
        }
        drop(step);
        for message in build.messages.into_inner().unwrap_or_else(PoisonError::into_inner) {
            terminal::note(&message);
        }
        bail!("building {what} failed: see the compiler's messages above");
    }
    let crates = lock(&build.crates).len();
    step.done(&if crates == 0 { "up to date".to_owned() } else { format!("{crates} crates") });
    Ok(Programs(build.programs.into_inner().unwrap_or_else(PoisonError::into_inner)))
}

/// Returns whether cargo succeeded.
fn run(command: &mut Command, build: &Build, step: &Step, cancelled: &AtomicBool) -> Result<bool> {
    let mut cargo = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .context("cannot run cargo")?;
    let group = i32::try_from(cargo.id())?;
    process_groups::register(group);
    let (stdout, stderr) = (cargo.stdout.take(), cargo.stderr.take());
    let succeeded = thread::scope(|scope| {
        scope.spawn(|| for_each_line(stdout, |line| build.artifact(line)));
        scope.spawn(|| for_each_line(stderr, |line| build.message(line, step)));
        wait(&mut cargo, group, cancelled)
    });
    process_groups::forget(group);
    succeeded
}

fn wait(cargo: &mut Child, group: i32, cancelled: &AtomicBool) -> Result<bool> {
    loop {
        if let Some(status) = cargo.try_wait()? {
            return Ok(status.success());
        }
        if interrupt::requested() || cancelled.load(Ordering::Relaxed) {
            // cargo does not forward signals to the compilers that it has started.
            let _ = killpg(Pid::from_raw(group), Signal::SIGTERM);
            cargo.wait()?;
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

impl Build {
    fn artifact(&self, line: &str) {
        if let Some(program) = Artifact::parse(line).and_then(Artifact::program) {
            lock(&self.programs).push(program);
        }
    }

    fn message(&self, line: &str, step: &Step) {
        let words = line.trim_start();
        if let Some(name) = words.strip_prefix("Compiling ") {
            let name = name.split(' ').next().unwrap_or(name);
            let mut crates = lock(&self.crates);
            crates.insert(name.to_owned());
            step.detail(&format!("crate {}: {name}", crates.len()));
        } else if words.starts_with("Blocking waiting") {
            step.detail("waiting for another cargo to finish");
        } else if let Some(what) = words.strip_prefix("Downloading ") {
            step.detail(&format!("downloading {what}"));
        } else if !["Downloaded ", "Updating ", "Locking ", "Adding ", "Executable "]
            .iter()
            .any(|word| words.starts_with(word))
        {
            lock(&self.messages).push(line.to_owned());
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn for_each_line(output: Option<impl Read>, mut take: impl FnMut(&str)) {
    let lines = output.into_iter().flat_map(|output| BufReader::new(output).split(b'\n'));
    for line in lines.map_while(Result::ok) {
        take(&String::from_utf8_lossy(&line));
    }
}

/// The fields that are used of a message with the reason `compiler-artifact`:
/// <https://doc.rust-lang.org/cargo/reference/external-tools.html#artifact-messages>.
#[derive(Debug, Deserialize)]
struct Artifact {
    package_id: String,
    manifest_path: PathBuf,
    target: Target,
    profile: Profile,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Profile {
    test: bool,
}

impl Artifact {
    /// None for other messages, which lack some of these fields.
    fn parse(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    fn program(self) -> Option<Program> {
        Some(Program {
            name: self.target.name,
            package: package_name(&self.package_id)?.to_owned(),
            folder: self.manifest_path.parent()?.to_owned(),
            is_test: self.profile.test,
            path: self.executable?,
        })
    }
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
        let build = Build::default();
        let id = "path+file:///s/query-service#0.1.0";
        build.artifact(&artifact(id, "query-service", false, r#""/t/a \"b\"/query-service""#));
        build.artifact(&artifact(id, "query-service", true, r#""/t/deps/query_service-1""#));
        build.artifact(&artifact(id, "lib", false, "null"));
        build.artifact(r#"{"reason":"build-finished","success":true}"#);
        let programs = Programs(build.programs.into_inner()?);
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
