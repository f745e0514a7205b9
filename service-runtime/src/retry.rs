//! Retry backoff.

use crate::health::DependencyStatus;
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const MAX_DELAY: Duration = Duration::from_secs(2);

/// Exponential backoff without a limit of attempts, for databases and brokers. Delays stay
/// short so that work continues soon after a recovery.
#[derive(Debug)]
pub struct Backoff(ExponentialBackoff);

impl Default for Backoff {
    fn default() -> Self {
        let policy = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(MAX_DELAY)
            .without_max_times()
            .with_jitter();
        Self(policy.build())
    }
}

impl Backoff {
    /// Starts again with short delays, after a success.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// The next delay, for a caller that waits itself.
    pub fn next_delay(&mut self) -> Duration {
        self.0.next().unwrap_or(MAX_DELAY)
    }

    /// Repeats `attempt` until it succeeds, and reports each failure. None after the shutdown.
    pub async fn until_success<T, F: Future<Output = anyhow::Result<T>>>(
        &mut self,
        status: &DependencyStatus,
        shutdown: &CancellationToken,
        attempt: impl Fn() -> F,
    ) -> Option<T> {
        loop {
            match attempt().await {
                Ok(value) => return Some(value),
                Err(error) => status.down(format!("{error:#}")),
            }
            if !self.wait(shutdown).await {
                return None;
            }
        }
    }

    /// Waits for the next delay. Returns false after the shutdown.
    pub async fn wait(&mut self, shutdown: &CancellationToken) -> bool {
        let delay = self.next_delay();
        shutdown.run_until_cancelled(tokio::time::sleep(delay)).await.is_some()
    }
}
