//! Configuration that services share. Each service derives its own struct,
//! from which every setting is read and checked once, at boot.

use crate::trace_export::TraceSettings;
use clap::Parser;
use clap::error::{ContextKind, ContextValue};
use std::net::IpAddr;

/// Reads the settings of a service. If one is invalid, exits with a message that names
/// the variable, the flag and the reason. Values of URLs are not shown: they may contain
/// a password.
pub fn read<C: Parser>() -> C {
    C::try_parse().unwrap_or_else(|mut error| {
        let argument = error.get(ContextKind::InvalidArg).map(ToString::to_string);
        let argument = argument.unwrap_or_default();
        if argument.contains("-url") {
            let hidden = ContextValue::String("(not shown)".to_owned());
            error.insert(ContextKind::InvalidValue, hidden);
        }
        if let Some(variable) = variable(&C::command(), &argument) {
            let both = ContextValue::String(format!("{variable} ({argument})"));
            error.insert(ContextKind::InvalidArg, both);
        }
        error.exit()
    })
}

/// The environment variable of an argument in the form `--flag <VALUE>`.
fn variable(command: &clap::Command, argument: &str) -> Option<String> {
    let flag = argument.strip_prefix("--")?.split([' ', '=']).next()?;
    let argument = command.get_arguments().find(|known| known.get_long() == Some(flag))?;
    Some(argument.get_env()?.to_string_lossy().into_owned())
}

/// Settings that every service has.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// Address on which the operations port listens (health, metrics). Keep it
    /// on the loopback interface, or inside a container's network.
    #[arg(long, env = "OPERATIONS_ADDRESS", default_value = "127.0.0.1")]
    pub operations_address: IpAddr,

    /// `text` for people, `json` for log collectors. What is logged is chosen
    /// by RUST_LOG, for instance `info,sqlx=warn`.
    #[arg(long, env = "LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// Ask the running service for its health and exit with 0 or 1: for
    /// container health checks, in images without curl.
    #[arg(long)]
    pub health_check: bool,

    /// Who may call.
    #[command(flatten)]
    pub auth: crate::auth::AuthSettings,

    /// How much may come.
    #[command(flatten)]
    pub traffic: crate::traffic::TrafficSettings,

    /// Where traces go.
    #[command(flatten)]
    pub traces: TraceSettings,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object.
    Json,
}
