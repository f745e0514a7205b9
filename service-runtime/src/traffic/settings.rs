//! Settings of rate limits and client addresses.

use super::addresses::TrustedProxies;
use crate::whole_number::whole;

/// Settings of rate limits and client addresses.
#[derive(Clone, Debug, clap::Args)]
pub struct TrafficSettings {
    /// Requests per second of one caller: an API key, the subject of a token, or else a client
    /// address. 0: no limit.
    #[arg(long, env = "RATE_LIMIT", default_value_t = 0, value_parser = whole::<u32>(0, 1_000_000))]
    pub rate_limit: u32,

    /// Maximum burst of requests of a caller. 0: the requests of one second.
    #[arg(long, env = "RATE_LIMIT_BURST", default_value_t = 0,
          value_parser = whole::<u32>(0, 1_000_000))]
    pub rate_limit_burst: u32,

    /// Proxies whose X-Forwarded-For is trusted: comma-separated addresses or networks, such
    /// as 10.1.0.0/16,::1.
    #[arg(long, env = "TRUSTED_PROXIES", default_value = "")]
    pub trusted_proxies: TrustedProxies,

    /// Maximum connections of one client address to a port, of at most 4096. Does not apply to
    /// trusted proxies.
    #[arg(long, env = "CONNECTIONS_PER_ADDRESS", default_value_t = 4096,
          value_parser = whole::<u32>(1, 1_000_000))]
    pub connections_per_address: u32,
}

#[cfg(test)]
impl TrafficSettings {
    /// Settings without a rate limit, for tests.
    pub fn without_rate_limit() -> Self {
        let trusted_proxies = TrustedProxies::default();
        Self { rate_limit: 0, rate_limit_burst: 0, trusted_proxies, connections_per_address: 4096 }
    }
}
