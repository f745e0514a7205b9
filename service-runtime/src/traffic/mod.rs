//! How much may come, and from whom.

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

/// How often memory is tidied: between two times it grows with those who call, and
/// each of them takes some hundred bytes.
const TIDYING: Duration = Duration::from_secs(5);

/// Tidies again and again, until shutdown.
pub async fn tend(shutdown: CancellationToken, tidy: impl Fn()) {
    while shutdown.run_until_cancelled(tokio::time::sleep(TIDYING)).await.is_some() {
        tidy();
    }
}
