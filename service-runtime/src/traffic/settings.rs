//! Settings of how much may come.

use super::addresses::TrustedProxies;
use crate::whole_number::whole;

/// Settings of how much may come, and from whom.
#[derive(Clone, Debug, clap::Args)]
pub struct TrafficSettings {
    /// Requests per second of one caller: of an API key or a token's subject, else of a
    /// client's address. 0: no limit.
    #[arg(long, env = "RATE_LIMIT", default_value_t = 0, value_parser = whole::<u32>(0, 1_000_000))]
    pub rate_limit: u32,

    /// Most requests of a caller at once, after a pause. 0: as many as in a second.
    #[arg(long, env = "RATE_LIMIT_BURST", default_value_t = 0,
          value_parser = whole::<u32>(0, 1_000_000))]
    pub rate_limit_burst: u32,

    /// Proxies whose X-Forwarded-For is believed: addresses or networks, with commas
    /// between, such as 10.1.0.0/16,::1.
    #[arg(long, env = "TRUSTED_PROXIES", default_value = "")]
    pub trusted_proxies: TrustedProxies,

    /// Most connections of one client's address to a port, of the 4096 that there can
    /// be. Trusted proxies may have all.
    #[arg(long, env = "CONNECTIONS_PER_ADDRESS", default_value_t = 4096,
          value_parser = whole::<u32>(1, 1_000_000))]
    pub connections_per_address: u32,
}
