//! The command line.

use clap::{Args, Parser, Subcommand};

/// Runs, tests and prepares the shop-analytics stack on this machine.
#[derive(Debug, Parser)]
#[command(name = "cargo stack", bin_name = "cargo stack", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start everything: two databases, the broker and the three services.
    ///
    /// Requires only Rust: missing servers are installed from the system's packages
    /// (Debian, Ubuntu) and run privately, with their data in `.stack/`. Ctrl-C stops
    /// everything. The data stays for the next start.
    Up(UpArgs),
    /// Start only the databases and the broker, for development.
    Infra(InfraArgs),
    /// Run the tests, and the databases and the broker that they use.
    ///
    /// Starts only the servers that the chosen tests use, and stops them afterwards. If
    /// `cargo stack infra` is running for this checkout, its servers are used instead.
    Test(TestArgs),
    /// Put load on a running stack and verify the sums of its views: see
    /// `cargo stack load --help`.
    Load(ProgramArgs),
    /// Recompute all views of a running stack from its write database and print the
    /// differences: see `cargo stack verify --help`.
    Verify(ProgramArgs),
    /// List, apply or discard events that could not be applied: see
    /// `cargo stack dead-letters --help`.
    DeadLetters(ProgramArgs),
    /// Publish a range of past events again: see `cargo stack replay --help`.
    Replay(ProgramArgs),
    /// Create, list and revoke API keys, for a stack with AUTH=on: see
    /// `cargo stack keys --help`.
    Keys(ProgramArgs),
    /// Measure the stack on separate databases and a separate broker: see
    /// `cargo stack bench --help`.
    Bench(ProgramArgs),
    /// Cause random faults and check that no order is lost or duplicated: see
    /// `cargo stack chaos --help`.
    Chaos(ProgramArgs),
    /// Write the checked-in generated files: the query data in the folders `.sqlx`, after a
    /// change of a query or a migration, and the API documentation.
    Prepare(PrepareArgs),
}

/// Arguments of the commands that listen on fixed ports.
#[derive(Debug, Args)]
pub struct InstanceArgs {
    /// Added to every port, so that several stacks can run on one machine.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port_offset: u16,
}

/// Arguments of `cargo stack infra`.
#[derive(Debug, Args)]
pub struct InfraArgs {
    #[command(flatten)]
    pub instance: InstanceArgs,
    /// Start without data and on free ports, beside other instances, and restart servers
    /// that are killed, however often. The next start with this name deletes the data.
    #[arg(long, value_name = "NAME", conflicts_with = "port_offset", value_parser = instance_name)]
    pub throw_away: Option<String>,
}

/// A name that can be part of a folder's name.
fn instance_name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !text.is_empty() && text.chars().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err("must consist of a to z, 0 to 9 and -".to_owned())
    }
}

/// Arguments of `cargo stack up`.
#[derive(Debug, Args)]
pub struct UpArgs {
    #[command(flatten)]
    pub instance: InstanceArgs,
    /// Also start the gateway: nginx, with one address (port 8088) for both APIs.
    #[arg(long)]
    pub gateway: bool,
    /// Start without data, and keep the usual stack's data. The next such start deletes the
    /// data of this one.
    #[arg(long)]
    pub throw_away: bool,
    /// Build the services in the dev profile, as for tests: in seconds after an edit, but
    /// slower than in the release profile.
    #[arg(long)]
    pub dev: bool,
}

/// Arguments that are passed on to a separate program, including `--help`.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct ProgramArgs {
    /// Passed to the program.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    pub arguments: Vec<String>,
}

/// Arguments of `cargo stack test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Run only tests whose path contains one of these: `oversell`, `apply::`.
    #[arg(value_name = "FILTER")]
    pub filters: Vec<String>,
    /// Run only the tests of this package. Can be given several times.
    #[arg(short, long = "package", value_name = "PACKAGE")]
    pub packages: Vec<String>,
    /// Run only this test program of the system tests: `system`, or `documents`, which uses
    /// no server. Can be given several times.
    #[arg(long = "test", value_name = "NAME")]
    pub targets: Vec<String>,
    /// Run all chosen test programs, even if one fails.
    #[arg(long)]
    pub no_fail_fast: bool,
    /// Passed to the test programs: `--nocapture`, `--exact`, `--skip chaos`.
    #[arg(last = true, value_name = "ARGS")]
    pub program_args: Vec<String>,
}

impl TestArgs {
    /// Whether these select tests.
    pub fn selects(&self) -> bool {
        ![&self.filters, &self.packages, &self.targets, &self.program_args]
            .iter()
            .all(|arguments| arguments.is_empty())
    }
}

/// Arguments of `cargo stack prepare`.
#[derive(Debug, Args)]
pub struct PrepareArgs {
    /// Change nothing; fail if a generated file is out of date.
    #[arg(long)]
    pub check: bool,
    /// Prepare all crates, even those whose queries and migrations have not changed.
    #[arg(long)]
    pub all: bool,
}
