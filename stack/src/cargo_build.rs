//! Building with cargo, visibly.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::{
    interrupt, process,
    project::Project,
    terminal::{self, Step},
};

/// The programs that a build has made, by name.
pub type Executables = BTreeMap<String, PathBuf>;

/// What is known of a build under way.
#[derive(Debug, Default)]
struct Build {
    executables: Mutex<Executables>,
    crates: Mutex<u32>,
    messages: Mutex<Vec<String>>,
}

/// Runs `cargo build` for these targets of the workspace and gives the programs it made
/// (or found made). Gives up when a stop is asked for or `unwanted` becomes true.
///
/// Whatever is built, features are those of the whole workspace: cargo would compile
/// dependencies again for another choice of packages.
pub fn cargo_build(
    project: &Project,
    what: &str,
    targets: &[&str],
    unwanted: &AtomicBool,
) -> Result<Executables> {
    let step = Step::begin(&format!("build {what}"));
    let mut command = project.cargo();
    // Where the programs are is asked of cargo, so any way to set the target
    // folder works.
    command.args([
        "build",
        "--release",
        "--workspace",
        "--message-format=json-render-diagnostics",
        "--color=never",
    ]);
    command.args(targets);
    let build = Build::default();
    if !run(&mut command, &build, &step, unwanted)? {
        interrupt::check()?;
        if unwanted.load(Ordering::Relaxed) {
            bail!("the build was given up");
        }
        drop(step);
        for message in build.messages.into_inner().unwrap_or_else(PoisonError::into_inner) {
            terminal::note(&message);
        }
        bail!("building {what} failed: see the compiler's messages above");
    }
    let crates = *lock(&build.crates);
    step.done(&if crates == 0 { "up to date".to_owned() } else { format!("{crates} crates") });
    Ok(build.executables.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Says whether cargo succeeded.
fn run(command: &mut Command, build: &Build, step: &Step, unwanted: &AtomicBool) -> Result<bool> {
    let mut cargo = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .context("cannot run cargo")?;
    process::register_group(cargo.id());
    let (stdout, stderr) = (cargo.stdout.take(), cargo.stderr.take());
    let succeeded = thread::scope(|scope| {
        scope.spawn(|| for_each_line(stdout, |line| build.artifact(line)));
        scope.spawn(|| for_each_line(stderr, |line| build.message(line, step)));
        wait(&mut cargo, unwanted)
    });
    process::forget_group(cargo.id());
    succeeded
}

fn wait(cargo: &mut Child, unwanted: &AtomicBool) -> Result<bool> {
    loop {
        if let Some(status) = cargo.try_wait()? {
            return Ok(status.success());
        }
        if interrupt::requested() || unwanted.load(Ordering::Relaxed) {
            // cargo does not pass signals on to the compilers it has started.
            if let Ok(group) = i32::try_from(cargo.id()) {
                let _ = killpg(Pid::from_raw(group), Signal::SIGTERM);
            }
            cargo.wait()?;
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

impl Build {
    fn artifact(&self, line: &str) {
        if let Some(path) = text_member(line, "executable") {
            let path = PathBuf::from(path);
            // A test program is an executable too, with a hash in its name.
            if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
                lock(&self.executables).insert(name.to_owned(), path);
            }
        }
    }

    fn message(&self, line: &str, step: &Step) {
        let words = line.trim_start();
        if let Some(name) = words.strip_prefix("Compiling ") {
            let mut crates = lock(&self.crates);
            *crates += 1;
            step.detail(&format!("crate {crates}: {}", name.split(' ').next().unwrap_or(name)));
        } else if words.starts_with("Blocking waiting") {
            step.detail("waiting for another cargo to finish");
        } else if let Some(what) = words.strip_prefix("Downloading ") {
            step.detail(&format!("downloading {what}"));
        } else if !["Downloaded ", "Updating ", "Locking ", "Adding "]
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

/// A text member of a flat JSON object as cargo writes it: enough for a path,
/// in which only quotes and backslashes are escaped.
fn text_member(json: &str, name: &str) -> Option<String> {
    let (_, rest) = json.split_once(&format!("\"{name}\":\""))?;
    let mut text = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => return Some(text),
            '\\' => text.push(characters.next()?),
            character => text.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_cargos_messages() {
        let build = Build::default();
        build.artifact(r#"{"reason":"compiler-artifact","target":{"name":"query-service"},"executable":"/t/a \"b\"/query-service"}"#);
        build.artifact(r#"{"reason":"compiler-artifact","target":{"name":"serde"},"executable":null,"fresh":true}"#);
        let executables = build.executables.into_inner().unwrap_or_default();
        assert_eq!(executables.len(), 1);
        assert_eq!(
            executables.get("query-service"),
            Some(&PathBuf::from("/t/a \"b\"/query-service"))
        );
    }
}
