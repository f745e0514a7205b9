//! Delays that are part of what a test models: the latency of a network link, the retry
//! backoff of a client, the duration of a fault, a promised `Retry-After`. Everything else
//! waits for a condition, with [`eventually`](super::eventually).

use std::time::Duration;

/// Lets modelled time pass.
pub async fn modelled_delay(duration: Duration) {
    tokio::time::sleep(duration).await;
}
