//! The command line: what can be asked of `cargo stack`.

use clap::{Args, Parser, Subcommand};

/// Runs, tests and prepares the shop-analytics stack on this machine.
#[derive(Debug, Parser)]
#[command(name = "cargo stack", bin_name = "cargo stack", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start everything: two databases, the broker and the three services.
    ///
    /// Needs nothing but Rust: missing servers are installed from the system's
    /// packages (Debian, Ubuntu) and run privately out of `.stack/`. Ctrl-C
    /// stops everything; the data stays for the next start.
    Up(UpArgs),
    /// Start only the databases and the broker, for working on a service.
    Infra(InfraArgs),
    /// Run the tests, with the databases and the broker that they need.
    ///
    /// Starts only the servers that the chosen tests need, and stops them. If
    /// `cargo stack infra` runs for this checkout, its servers are used instead.
    Test(TestArgs),
    /// Put load on a running stack and verify every sum: see
    /// `cargo stack load --help`.
    #[command(disable_help_flag = true)]
    Load(ProgramArgs),
    /// Recompute every view of a running stack from its write database, and tell
    /// what differs: see `cargo stack verify --help`.
    #[command(disable_help_flag = true)]
    Verify(ProgramArgs),
    /// Look at events that could not be applied, apply them after all, or drop them:
    /// see `cargo stack dead-letters --help`.
    #[command(disable_help_flag = true)]
    DeadLetters(ProgramArgs),
    /// Publish a stretch of history again: see `cargo stack replay --help`.
    #[command(disable_help_flag = true)]
    Replay(ProgramArgs),
    /// Make, list and revoke API keys, for a stack with AUTH=on: see
    /// `cargo stack keys --help`.
    #[command(disable_help_flag = true)]
    Keys(ProgramArgs),
    /// Measure the stack on databases and a broker of its own: see
    /// `cargo stack bench --help`.
    #[command(disable_help_flag = true)]
    Bench(ProgramArgs),
    /// Break things at random and look whether anything was lost or doubled: see
    /// `cargo stack chaos --help`.
    #[command(disable_help_flag = true)]
    Chaos(ProgramArgs),
    /// Write the generated files that are checked in: the query data in the folders
    /// `.sqlx`, after a query or a migration has changed, and the API documentation.
    Prepare(PrepareArgs),
}

/// Arguments of the commands that listen on well-known ports.
#[derive(Debug, Args)]
pub struct InstanceArgs {
    /// Added to every port, so that several stacks fit on one machine.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port_offset: u16,
}

/// Arguments of `cargo stack infra`.
#[derive(Debug, Args)]
pub struct InfraArgs {
    /// Those of every instance.
    #[command(flatten)]
    pub instance: InstanceArgs,
    /// Begin without any data, on free ports, beside whatever else runs, and start
    /// again whatever is killed, however often. The data is deleted at the next start
    /// under that name.
    #[arg(long, value_name = "NAME", conflicts_with = "port_offset", value_parser = instance_name)]
    pub throw_away: Option<String>,
}

/// A name that makes a folder's.
fn instance_name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !text.is_empty() && text.chars().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err("must be of a to z, 0 to 9 and -".to_owned())
    }
}

/// Arguments of `cargo stack up`.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// Those of every instance.
    #[command(flatten)]
    pub instance: InstanceArgs,
    /// Start the gateway too: nginx, one address (port 8088) for both APIs.
    #[arg(long)]
    pub gateway: bool,
    /// Begin without any data, beside the usual stack's; what comes up is
    /// deleted at the next start of this sort.
    #[arg(long)]
    pub throw_away: bool,
    /// Build the services in the dev profile, as the tests do: in seconds after an edit.
    /// They are slower than in the release profile.
    #[arg(long)]
    pub dev: bool,
}

/// Arguments of the commands that are programs of their own.
#[derive(Debug, Args)]
pub struct ProgramArgs {
    /// Handed to the program.
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
    /// Run only this test program of the system tests: `system`, or `documents`, which
    /// needs no server. Can be given several times.
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
    /// Whether these may choose some of the tests.
    pub fn chooses(&self) -> bool {
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
