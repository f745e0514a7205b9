//! Settings that services share. Each service derives a struct of its settings, all of
//! which are read and checked once, at start.

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
    /// Address on which the operations port listens (health, metrics, administration).
    /// Use the loopback interface or a container network, not a public address.
    #[arg(long, env = "OPERATIONS_ADDRESS", default_value = "127.0.0.1")]
    pub operations_address: IpAddr,

    /// `text` for people, `json` for log collectors. `RUST_LOG` sets the level, for
    /// example `info,sqlx=warn`.
    #[arg(long, env = "LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// Check the health of the running service and exit with 0 or 1: for container
    /// health checks in images without curl.
    #[arg(long)]
    pub health_check: bool,

    /// Authentication.
    #[command(flatten)]
    pub auth: crate::auth::AuthSettings,

    /// Rate and connection limits.
    #[command(flatten)]
    pub traffic: crate::traffic::TrafficSettings,

    /// Traces.
    #[command(flatten)]
    pub traces: TraceSettings,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// A line of text.
    Text,
    /// A JSON object.
    Json,
}
