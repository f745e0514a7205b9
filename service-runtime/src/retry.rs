//! Retry backoff.

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const MAX_DELAY: Duration = Duration::from_secs(2);

/// Exponential backoff without a limit of attempts, for databases and brokers. Delays stay
/// short so that work continues soon after a recovery.
#[derive(Debug)]
pub struct Backoff {
    policy: ExponentialBuilder,
    delays: ExponentialBackoff,
}

impl Default for Backoff {
    fn default() -> Self {
        let policy = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(MAX_DELAY)
            .without_max_times()
            .with_jitter();
        Self { policy, delays: policy.build() }
    }
}

impl Backoff {
    /// Starts again with short delays, after a success.
    pub fn reset(&mut self) {
        self.delays = self.policy.build();
    }

    /// The next delay, for a caller that waits itself.
    pub fn next_delay(&mut self) -> Duration {
        self.delays.next().unwrap_or(MAX_DELAY)
    }

    /// Waits for the next delay. Returns false after the shutdown.
    pub async fn wait(&mut self, shutdown: &CancellationToken) -> bool {
        let delay = self.next_delay();
        shutdown.run_until_cancelled(tokio::time::sleep(delay)).await.is_some()
    }
}
