//! Settings of the consumer service.

use service_runtime::broker::BrokerConfig;
use service_runtime::config::Common;
use service_runtime::postgres::{self, DatabaseLogin};
use service_runtime::whole_number::whole;
use sqlx::postgres::PgConnectOptions;
use std::time::Duration;

/// Applies events to the views of the read database.
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

    #[command(flatten)]
    pub(crate) broker: BrokerConfig,

    /// Port for operations: health and metrics.
    #[arg(long, env = "CONSUMER_OPERATIONS_PORT", default_value_t = 9082,
          value_parser = whole::<u16>(0, 65_535))]
    pub operations_port: u16,

    /// Limit of deliveries per transaction. The prefetch count is at most twice that.
    #[arg(long, env = "CONSUMER_BATCH", default_value_t = 2000,
          value_parser = whole::<u16>(1, 30_000))]
    pub batch: u16,

    /// Database connections; each topic uses one.
    #[arg(long, env = "CONSUMER_DATABASE_CONNECTIONS", default_value_t = 8,
          value_parser = whole::<u32>(1, 1_000))]
    pub connections: u32,

    /// Hours for which deduplication records are kept; 0: for ever. An older event that
    /// arrives again becomes a dead letter.
    #[arg(long, env = "DEDUPE_MEMORY_HOURS", default_value_t = 0,
          value_parser = whole::<u32>(0, 87_600))]
    pub dedupe_memory_hours: u32,

    #[command(flatten)]
    pub(crate) common: Common,
}

impl Config {
    /// How long deduplication records are kept; none: for ever.
    pub fn record_retention(&self) -> Option<Duration> {
        let hours = Duration::from_secs(3600 * u64::from(self.dedupe_memory_hours));
        Some(hours).filter(|hours| !hours.is_zero())
    }
}
