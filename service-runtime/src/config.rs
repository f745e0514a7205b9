//! Configuration that services share. Each service derives its own struct,
//! from which every setting is read and checked once, at boot.

use std::net::IpAddr;

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
    pub auth: crate::auth::Settings,

    /// How much may come.
    #[command(flatten)]
    pub traffic: crate::traffic::Settings,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object.
    Json,
}
