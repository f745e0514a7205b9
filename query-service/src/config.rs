//! Settings of the query service.

use service_runtime::config::Common;
use service_runtime::postgres::{self, DatabaseLogin};
use service_runtime::whole_number::whole;
use sqlx::postgres::PgConnectOptions;
use std::net::IpAddr;

/// Serves analytics and lists from the views.
#[derive(Debug, clap::Parser)]
pub struct Config {
    /// The read database.
    #[arg(
        long = "read-database-url",
        env = "READ_DATABASE_URL",
        hide_env_values = true,
        value_parser = postgres::parse_url,
        default_value = "postgres://user:password@localhost:5433/read_db"
    )]
    pub database: PgConnectOptions,

    #[command(flatten)]
    pub(crate) login: DatabaseLogin,

    /// Address on which the API listens.
    #[arg(long, env = "QUERY_SERVICE_ADDRESS", default_value = "0.0.0.0")]
    pub address: IpAddr,

    /// Port of the API.
    #[arg(long, env = "QUERY_SERVICE_PORT", default_value_t = 8081,
          value_parser = whole::<u16>(0, 65_535))]
    pub port: u16,

    /// Port for operations: health and metrics.
    #[arg(long, env = "QUERY_OPERATIONS_PORT", default_value_t = 9081,
          value_parser = whole::<u16>(0, 65_535))]
    pub operations_port: u16,

    /// Database connections for all queries but lists, one of which listens for new
    /// events. Lists have five more, health has one.
    #[arg(long, env = "QUERY_DATABASE_CONNECTIONS", default_value_t = 10,
          value_parser = whole::<u32>(2, 1_000))]
    pub connections: u32,

    #[command(flatten)]
    pub(crate) common: Common,
}
