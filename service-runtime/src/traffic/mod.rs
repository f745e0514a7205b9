//! Client addresses, rate limits and connection limits.

mod addresses;
mod clients;
mod failures;
mod rate_limit;
mod settings;

pub use addresses::{Network, TrustedProxies};
pub use clients::{Clients, Connected, Place};
pub use failures::Failures;
pub use rate_limit::{Client, RateLimit};
pub use settings::TrafficSettings;
