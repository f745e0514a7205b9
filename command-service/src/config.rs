//! Settings of the command service.

use crate::orders::PricePolicy;
use service_runtime::broker::BrokerConfig;
use service_runtime::config::Common;
use service_runtime::database_login::DatabaseLogin;
use sqlx::postgres::PgConnectOptions;
use std::net::IpAddr;

/// Takes commands over HTTP and publishes what happened.
#[derive(Debug, clap::Parser)]
pub struct Config {
    /// The write database.
    #[arg(
        long = "database-url",
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "postgres://user:password@localhost:5432/write_db"
    )]
    pub database: PgConnectOptions,

    #[command(flatten)]
    pub login: DatabaseLogin,

    #[command(flatten)]
    pub broker: BrokerConfig,

    /// Address on which the API listens.
    #[arg(long, env = "COMMAND_SERVICE_ADDRESS", default_value = "0.0.0.0")]
    pub address: IpAddr,

    /// Port of the API.
    #[arg(long, env = "COMMAND_SERVICE_PORT", default_value_t = 8080)]
    pub port: u16,

    /// Port for operations: health and metrics.
    #[arg(long, env = "COMMAND_OPERATIONS_PORT", default_value_t = 9080)]
    pub operations_port: u16,

    /// What to do with an order whose price is not the catalogue's: `accept`
    /// it as negotiated, or refuse all but the `catalogue` price.
    #[arg(long, env = "ORDER_PRICE_POLICY", default_value = "accept")]
    pub order_price_policy: PricePolicy,

    /// Most events that may wait for the broker. Beyond that commands are refused.
    #[arg(long, env = "OUTBOX_LIMIT", default_value_t = 1_000_000,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub outbox_limit: u32,

    /// Database connections for all commands but the placing of orders. Beside
    /// them there are five for that, one for the publisher and one for health.
    #[arg(long, env = "COMMAND_DATABASE_CONNECTIONS", default_value_t = 10)]
    pub connections: u32,

    #[command(flatten)]
    pub common: Common,
}

#[cfg(test)]
mod tests {
    use super::Config;
    use clap::CommandFactory;

    #[test]
    fn flags_and_variables_do_not_clash() {
        Config::command().debug_assert();
    }
}
