//! The command line.

use crate::client::{Server, parse_api_key};
use clap::Parser;
use http::HeaderValue;
use std::num::NonZeroU32;
use std::time::Duration;

/// Maximum number of users, products or orders: every product's stock must suffice for all orders.
const MOST: i64 = 10_000_000;

/// Puts load on a running stack, then verifies what the views show.
///
/// Creates users, products and orders over HTTP, pays and refunds a share of the orders, waits
/// until the views have caught up, and compares all sums of the run's products, categories and
/// customers, and samples of its users, products and orders, with what was sent. `cargo stack verify` compares every row.
/// Exit code: 0 if all agrees, 1 if anything differs or fails, 130 if stopped by Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "cargo stack load", bin_name = "cargo stack load", version)]
pub struct Arguments {
    /// Users to create. With 0, orders name customer ids that only this run uses.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(0..=MOST))]
    pub users: u32,

    /// Products to create.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(0..=MOST))]
    pub products: u32,

    /// Orders to place.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(0..=MOST))]
    pub orders: u32,

    /// Percentage of the orders to pay, after all are placed.
    #[arg(long, value_name = "PERCENT", default_value_t = 25, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub pay: u8,

    /// Percentage of the paid orders to refund: some or all units, or an amount.
    #[arg(long, value_name = "PERCENT", default_value_t = 50, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub refund: u8,

    /// Connections, each with one request at a time.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub concurrency: u16,

    /// Requests per second, however long the responses take (open loop); latencies
    /// then count from the time when a request was due. Without it each connection sends
    /// its next request after the response to its last (closed loop).
    #[arg(long, value_name = "PER_SECOND")]
    pub rate: Option<NonZeroU32>,

    /// The same seed gives the same names, prices, quantities, order lines and refunds.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Maximum number of users, of products and of orders to compare one by one.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub samples: u32,

    /// Seconds after which the run fails if nothing is accepted or no event is
    /// applied.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u32).range(5..=86_400))]
    pub patience: u32,

    /// The command API [default: http://localhost:8080]
    #[arg(long, value_name = "URL", value_parser = Server::parse)]
    pub command_url: Option<Server>,

    /// The query API [default: http://localhost:8081]
    #[arg(long, value_name = "URL", value_parser = Server::parse)]
    pub query_url: Option<Server>,

    /// An API key with the roles reader and writer, if the services have AUTH=on.
    #[arg(long, value_name = "KEY", env = "SHOP_API_KEY", hide_env_values = true, value_parser = parse_api_key)]
    pub api_key: Option<HeaderValue>,

    /// Added to the ports of both defaults, as in `cargo stack up`.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=50_000))]
    pub port_offset: u16,
}

impl Arguments {
    /// The command API and the query API.
    pub fn servers(&self) -> [Server; 2] {
        [(&self.command_url, 8080), (&self.query_url, 8081)].map(|(given, port)| {
            let local = || Server::local(port + self.port_offset);
            let mut server = given.clone().unwrap_or_else(local);
            server.api_key = self.api_key.clone();
            server
        })
    }

    /// Whether order number `number` is to be paid.
    pub fn pays(&self, number: u32) -> bool {
        is_chosen(number, self.pay)
    }

    /// Whether order number `number`, one of those to be paid, is to be refunded.
    pub fn refunds(&self, number: u32) -> bool {
        is_chosen(chosen_below(number, self.pay), self.refund)
    }

    /// How long the run may make no progress.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.patience.into())
    }
}

/// Chooses `percent` of all numbers, evenly spread.
fn is_chosen(number: u32, percent: u8) -> bool {
    chosen_below(number + 1, percent) > chosen_below(number, percent)
}

/// How many numbers below `end` are chosen. [`MOST`] numbers do not overflow.
fn chosen_below(end: u32, percent: u8) -> u32 {
    end * u32::from(percent) / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_applies_to_addresses_that_are_not_given() {
        let line = ["load", "--port-offset", "200", "--query-url", "http://127.0.0.1:7000"];
        let arguments = Arguments::try_parse_from(line).unwrap();
        let servers = arguments.servers().map(|server| server.to_string());
        assert_eq!(servers, ["http://localhost:8280", "http://127.0.0.1:7000"]);
    }

    #[test]
    fn exact_shares_of_the_orders_are_paid_and_refunded() {
        for (pay, refund, paid, refunded) in [
            ("25", "50", 75, 37),
            ("100", "100", 300, 300),
            ("100", "10", 300, 30),
            ("7", "33", 21, 6),
            ("0", "50", 0, 0),
        ] {
            let arguments = Arguments::parse_from(["load", "--pay", pay, "--refund", refund]);
            let numbers: Vec<u32> = (0..300).filter(|number| arguments.pays(*number)).collect();
            assert_eq!(numbers.len(), paid);
            let count = numbers.iter().filter(|number| arguments.refunds(**number)).count();
            assert_eq!(count, refunded);
        }
        let most = u32::try_from(MOST).unwrap();
        assert!(is_chosen(most - 1, 100));
    }
}
