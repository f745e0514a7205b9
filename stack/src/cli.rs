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
    Infra(InstanceArgs),
    /// Run the tests against databases and a broker of their own.
    Test(TestArgs),
    /// Put load on a running stack and verify every sum: see
    /// `cargo stack load --help`.
    #[command(disable_help_flag = true)]
    Load(ProgramArgs),
    /// Recompute every view of a running stack from its write database, and tell
    /// what differs: see `cargo stack verify --help`.
    #[command(disable_help_flag = true)]
    Verify(ProgramArgs),
    /// Measure the stack on databases and a broker of its own: see
    /// `cargo stack bench --help`.
    #[command(disable_help_flag = true)]
    Bench(ProgramArgs),
    /// Write the query data in `.sqlx` anew, after a query or a migration
    /// changed.
    Prepare,
}

/// Arguments of the commands that listen on well-known ports.
#[derive(Debug, Args)]
pub struct InstanceArgs {
    /// Added to every port, so that several stacks fit on one machine.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port_offset: u16,
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
}

/// Everything on the command line after that word, as it was given: the parser
/// would swallow the first `--`, which cargo wants to see.
pub fn arguments_after(word: &str) -> Vec<String> {
    std::env::args().skip_while(|argument| argument != word).skip(1).collect()
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
    /// Passed to `cargo test --release --workspace`, for example
    /// `-p query-service` or `oversell -- --nocapture`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    pub cargo_args: Vec<String>,
}
