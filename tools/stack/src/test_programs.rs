//! The test programs of the workspace: which are built, which of their tests are chosen, and
//! which servers these use.

use crate::cargo_build::{Program, Programs, cancellable_build, cargo_build};
use crate::cli::TestArgs;
use crate::project::Project;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;

/// The test program whose tests run the services. All others are unit tests.
const SYSTEM: &str = "system";

/// The name of modules of unit tests that use a database.
const DATABASE_TESTS: &str = "database_tests";

/// The name of modules of system tests that use no servers.
const WITHOUT_SERVERS: &str = "without_servers";

/// The name of modules of system tests that use PgBouncer.
const PGBOUNCER: &str = "pgbouncer";

/// The servers that tests use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    Nothing,
    /// One database server, which `DATABASE_URL` names.
    Database,
    /// Both database servers and the broker.
    Everything,
}

/// A test program with at least one chosen test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    pub program: Program,
    pub tests: usize,
    pub needs: Needs,
    pub pgbouncer: bool,
}

/// Builds the services and all test programs.
pub fn build_all(project: &Project, cancelled: &AtomicBool) -> Result<Programs> {
    let mut cargo = project.cargo();
    cargo.args(["build", "--bins", "--tests"]);
    cancellable_build(&mut cargo, "services and tests", cancelled)
}

/// Builds the chosen test programs, or everything if system tests may be among them.
pub fn build_chosen(project: &Project, args: &TestArgs) -> Result<Programs> {
    let targets = match (&*args.packages, &*args.targets) {
        ([], []) => None,
        (packages, []) => Metadata::of(project)?.unit_test_targets(packages)?,
        (_, targets) if targets.iter().any(|name| name == SYSTEM) => None,
        (_, targets) => Some(targets.iter().map(|name| format!("--test={name}")).collect()),
    };
    let Some(targets) = targets else { return build_all(project, &AtomicBool::new(false)) };
    let mut cargo = project.cargo();
    cargo_build(cargo.args(["test", "--no-run"]).args(targets), "tests")
}

/// The programs with chosen tests: the quickest first, the system tests last.
pub fn choose(programs: &Programs, args: &TestArgs) -> Result<Vec<Chosen>> {
    let is_chosen = |names: &[String], name: &String| names.is_empty() || names.contains(name);
    let mut chosen = Vec::new();
    for program in programs.tests() {
        if is_chosen(&args.packages, &program.package) && is_chosen(&args.targets, &program.name) {
            let names = list(program, args)?;
            if !names.is_empty() {
                chosen.push(Chosen {
                    program: program.clone(),
                    tests: names.len(),
                    needs: needs(program, &names),
                    pgbouncer: names.iter().any(|name| is_below(name, PGBOUNCER)),
                });
            }
        }
    }
    chosen.sort_by_cached_key(|chosen| (chosen.needs, chosen.program.package.clone()));
    Ok(chosen)
}

/// The names of a program's chosen tests, as the program lists them.
fn list(program: &Program, args: &TestArgs) -> Result<Vec<String>> {
    let output = command(program, args)
        .args(["--list", "--format", "terse"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", program.path.display()))?;
    if !output.status.success() {
        bail!("the tests of {} cannot be listed", program.package);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
}

/// The command that runs a program's chosen tests, in the folder of its package like cargo.
pub fn command(program: &Program, args: &TestArgs) -> Command {
    let mut command = Command::new(&program.path);
    command
        .current_dir(&program.folder)
        .env("CARGO_MANIFEST_DIR", &program.folder)
        .args(&args.filters)
        .args(&args.program_args);
    command
}

fn is_below(test: &str, module: &str) -> bool {
    test.split("::").any(|part| part == module)
}

fn needs(program: &Program, tests: &[String]) -> Needs {
    let need = |test: &String| match program.name == SYSTEM {
        true if is_below(test, WITHOUT_SERVERS) => Needs::Nothing,
        true => Needs::Everything,
        false if is_below(test, DATABASE_TESTS) => Needs::Database,
        false => Needs::Nothing,
    };
    tests.iter().map(need).max().unwrap_or(Needs::Nothing)
}

/// The workspace's packages, as `cargo metadata` describes them.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
    test: bool,
}

impl Metadata {
    pub fn of(project: &Project) -> Result<Self> {
        let output = project
            .cargo()
            .args(["metadata", "--no-deps", "--format-version=1"])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run cargo")?;
        if !output.status.success() {
            bail!("cargo cannot read the workspace, see above");
        }
        serde_json::from_slice(&output.stdout).context("unexpected output of cargo metadata")
    }

    /// The options with which cargo builds the unit tests of these packages, such as `--bin=load`.
    /// None if one has system tests. `--lib` selects all libraries: cargo has no option for one of
    /// several.
    pub fn unit_test_targets(&self, packages: &[String]) -> Result<Option<BTreeSet<String>>> {
        let mut options = BTreeSet::new();
        for name in packages {
            let Some(package) = self.packages.iter().find(|package| package.name == *name) else {
                let names: Vec<&str> = self.packages.iter().map(|package| &*package.name).collect();
                bail!("there is no package `{name}`: use one of {}", names.join(", "));
            };
            for target in package.targets.iter().filter(|target| target.test) {
                match target.kind.first().map(String::as_str) {
                    Some("bin") => options.insert(format!("--bin={}", target.name)),
                    Some("lib") => options.insert("--lib".to_owned()),
                    _ => return Ok(None),
                };
            }
        }
        Ok(Some(options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::PathBuf;

    fn program(package: &str, name: &str) -> Program {
        Program {
            name: name.to_owned(),
            package: package.to_owned(),
            folder: PathBuf::new(),
            is_test: true,
            path: PathBuf::new(),
        }
    }

    #[test]
    fn only_the_servers_that_tests_use_are_started() {
        let of = |name, tests: &[&str]| {
            let tests: Vec<String> = tests.iter().map(|&test| test.to_owned()).collect();
            needs(&program("p", name), &tests)
        };
        assert_eq!(of("load", &["plan::tests::a"]), Needs::Nothing);
        assert_eq!(of("q", &["rules::tests::a", "views::database_tests::b"]), Needs::Database);
        assert_eq!(of("q", &["rules::tests::no_database_tests"]), Needs::Nothing);
        assert_eq!(of("system", &["oversell::a"]), Needs::Everything);
        assert_eq!(of("system", &["settings_validation::without_servers::a"]), Needs::Nothing);
    }

    #[test]
    fn unit_tests_of_one_package_are_built_without_the_rest() -> Result<()> {
        let metadata: Metadata = serde_json::from_value(json!({ "packages": [
            { "name": "command-service", "targets": [
                { "kind": ["bin"], "name": "command-service", "test": true },
                { "kind": ["custom-build"], "name": "b", "test": false },
            ] },
            { "name": "access", "targets": [{ "kind": ["lib"], "name": "access", "test": true }] },
            { "name": "system-tests", "targets": [
                { "kind": ["test"], "name": "system", "test": true },
            ] },
        ] }))?;
        let options = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            metadata.unit_test_targets(&names)
        };
        let expected = ["--bin=command-service", "--lib"].map(str::to_owned);
        assert_eq!(options(&["access", "command-service"])?, Some(expected.into()));
        assert_eq!(options(&["access", "system-tests"])?, None);
        let refusal = options(&["acess"]).err().map(|error| error.to_string());
        assert!(refusal.is_some_and(|text| text.contains("use one of command-service, access")));
        Ok(())
    }
}
