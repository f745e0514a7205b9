//! Client addresses, rate limits and connection limits.

mod addresses;
mod clients;
mod failures;
mod rate_limit;
mod settings;

pub use addresses::{Network, TrustedProxies};
pub use clients::{Clients, Connected, Place};
pub use failures::Failures;
pub use rate_limit::RateLimit;
pub use settings::TrafficSettings;

use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Interval of removing idle entries. Each caller uses some hundred bytes in between.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(5);

/// Removes idle entries until shutdown.
pub async fn run_cleanup(shutdown: CancellationToken, clean_up: impl Fn()) {
    while shutdown.run_until_cancelled(tokio::time::sleep(CLEANUP_INTERVAL)).await.is_some() {
        clean_up();
    }
}
