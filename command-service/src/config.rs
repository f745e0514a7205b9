//! Settings of the command service.

use crate::orders::PricePolicy;
use service_runtime::broker::BrokerConfig;
use service_runtime::config::Common;
use service_runtime::postgres::{self, DatabaseLogin};
use service_runtime::whole_number::whole;
use sqlx::postgres::PgConnectOptions;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

/// Accepts commands over HTTP and publishes events.
#[derive(Debug, clap::Parser)]
pub struct Config {
    /// URL of the write database.
    #[arg(
        long = "database-url",
        env = "DATABASE_URL",
        hide_env_values = true,
        value_parser = postgres::parse_url,
        default_value = "postgres://user:password@localhost:5432/write_db"
    )]
    pub database: PgConnectOptions,

    #[command(flatten)]
    pub(crate) login: DatabaseLogin,

    #[command(flatten)]
    pub(crate) broker: BrokerConfig,

    /// Address on which the API listens.
    #[arg(long, env = "COMMAND_SERVICE_ADDRESS", default_value = "0.0.0.0")]
    pub address: IpAddr,

    /// Port of the API.
    #[arg(long, env = "COMMAND_SERVICE_PORT", default_value_t = 8080,
          value_parser = whole::<u16>(0, 65_535))]
    pub port: u16,

    /// Port for operations: health and metrics.
    #[arg(long, env = "COMMAND_OPERATIONS_PORT", default_value_t = 9080,
          value_parser = whole::<u16>(0, 65_535))]
    pub operations_port: u16,

    /// How to handle an order price that differs from the catalogue price: `accept` it as
    /// negotiated, or `catalogue` to refuse it.
    #[arg(long, env = "ORDER_PRICE_POLICY", default_value = "accept")]
    pub order_price_policy: PricePolicy,

    /// Time to pay an order, from 1s to 365d, such as `30m` or `1h 30m`: an order that is still
    /// CREATED after it is cancelled. Empty: orders do not expire.
    #[arg(long, env = "UNPAID_ORDER_TIMEOUT", default_value = "", hide_default_value = true,
          value_parser = unpaid_order_timeout)]
    pub unpaid_order_timeout: UnpaidOrderTimeout,

    /// Maximum number of unpublished events of each topic. At the limit, commands of that topic
    /// are refused.
    #[arg(long, env = "OUTBOX_LIMIT", default_value_t = 1_000_000,
          value_parser = whole::<u32>(1, 100_000_000))]
    pub outbox_limit: u32,

    /// Database connections for commands, except for placing orders, which uses five more.
    /// Publisher, expiry and health use one each.
    #[arg(long, env = "COMMAND_DATABASE_CONNECTIONS", default_value_t = 10,
          value_parser = whole::<u32>(1, 1_000))]
    pub connections: u32,

    /// Threads of the service, from 1 to 1024. Empty: half the number of cores, because
    /// PostgreSQL and the broker do most of the work of an order, and moving it between threads
    /// costs more than it saves.
    #[arg(long, env = "COMMAND_SERVICE_THREADS", default_value = "", hide_default_value = true,
          value_parser = threads)]
    pub threads: usize,

    #[command(flatten)]
    pub(crate) common: Common,
}

/// Time to pay an order; none if orders do not expire.
pub type UnpaidOrderTimeout = Option<Duration>;

fn unpaid_order_timeout(text: &str) -> Result<UnpaidOrderTimeout, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let range = Duration::from_secs(1)..=Duration::from_secs(365 * 24 * 60 * 60);
    // Not every unit of humantime: `1M` is a month, and `1m` a minute.
    let is_known = text.chars().all(|char| char.is_ascii_digit() || "smhd ".contains(char));
    let timeout = humantime::parse_duration(text).ok().filter(|timeout| range.contains(timeout));
    let timeout = timeout.filter(|_| is_known);
    let timeout = timeout.ok_or("must be a time from 1s to 365d, such as 30m or 1h 30m")?;
    Ok(Some(timeout))
}

fn threads(text: &str) -> Result<usize, String> {
    if text.is_empty() {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        return Ok(cores.div_ceil(2));
    }
    whole(1, 1_024)(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_pay_is_a_duration_with_bounds() {
        assert_eq!(unpaid_order_timeout(""), Ok(None));
        for (text, seconds) in [("1s", 1), ("30m", 1_800), ("1h 30m", 5_400), ("365d", 31_536_000)]
        {
            let timeout = Some(Duration::from_secs(seconds));
            assert_eq!(unpaid_order_timeout(text), Ok(timeout), "{text}");
        }
        for bad in ["0", "30", "0s", "999ms", "366d", "-1h", "soon", "off", " ", "1M", "1w", "1.5h"]
        {
            assert!(unpaid_order_timeout(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn threads_have_bounds() {
        assert!(threads("").is_ok_and(|threads| threads >= 1));
        assert_eq!((threads("1"), threads("1024")), (Ok(1), Ok(1_024)));
        for bad in ["0", "1025", "-1", "two", "1.5"] {
            assert_eq!(threads(bad).unwrap_err(), "must be a whole number from 1 to 1024", "{bad}");
        }
    }
}
