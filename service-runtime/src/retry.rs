//! How long to wait before trying again.

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Growing pauses without end, for what must come back some day: a database
/// or a broker. They stay short, so that work goes on soon after it is back.
#[derive(Debug)]
pub struct Pauses {
    policy: ExponentialBuilder,
    next: ExponentialBackoff,
}

impl Default for Pauses {
    fn default() -> Self {
        let policy = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(2))
            .without_max_times()
            .with_jitter();
        Self { policy, next: policy.build() }
    }
}

impl Pauses {
    /// Begins with short pauses again, after a success.
    pub fn reset(&mut self) {
        self.next = self.policy.build();
    }

    /// The next pause, for a caller that does the waiting.
    pub fn next_pause(&mut self) -> Duration {
        self.next.next().unwrap_or(Duration::from_secs(2))
    }

    /// Waits for the next pause; false if the shutdown came first.
    pub async fn pause(&mut self, shutdown: &CancellationToken) -> bool {
        let pause = self.next_pause();
        shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_some()
    }
}
