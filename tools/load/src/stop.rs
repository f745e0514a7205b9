//! Ctrl-C, SIGTERM and SIGHUP.
//!
//! After the first signal nothing more is sent, and the last responses have [`GRACE`] to
//! arrive. The second signal ends the program.

use anyhow::Context;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long to wait for the last responses.
const GRACE: Duration = Duration::from_secs(2);

/// A request to stop. The default is never requested.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    requested: CancellationToken,
    overdue: CancellationToken,
    signal: Arc<AtomicI32>,
}

impl Stop {
    /// Handles SIGINT, SIGTERM and SIGHUP.
    pub fn watch() -> anyhow::Result<Self> {
        let mut signals = kit::signals().context("cannot catch signals")?;
        let stop = Self::default();
        let Self { requested, overdue, signal } = stop.clone();
        tokio::spawn(async move {
            if let Some(first) = signals.recv().await {
                signal.store(first, Ordering::Relaxed);
                requested.cancel();
            }
            if let Ok(Some(second)) = timeout(GRACE, signals.recv()).await {
                exit(128 + second);
            }
            overdue.cancel();
            if let Some(second) = signals.recv().await {
                exit(128 + second);
            }
        });
        Ok(stop)
    }

    pub fn is_requested(&self) -> bool {
        self.requested.is_cancelled()
    }

    /// Waits for `what`; none if a stop is requested first.
    pub async fn or<T>(&self, what: impl Future<Output = T>) -> Option<T> {
        self.requested.run_until_cancelled(what).await
    }

    /// Waits for `what`; none if it is not complete within [`GRACE`] after a stop was requested.
    pub async fn or_overdue<T>(&self, what: impl Future<Output = T>) -> Option<T> {
        self.overdue.run_until_cancelled(what).await
    }

    /// The exit code of a stopped run: 130 after Ctrl-C.
    pub fn exit_code(&self) -> u8 {
        u8::try_from(128 + self.signal.load(Ordering::Relaxed)).unwrap_or(130)
    }
}
