//! Ctrl-C, SIGTERM and SIGHUP.
//!
//! After the first signal nothing more is sent, and the last responses have [`GRACE`] to
//! arrive. The second signal ends the program.

use anyhow::Context;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long the last responses are waited for.
const GRACE: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
pub struct Stop {
    requested: CancellationToken,
    overdue: CancellationToken,
    signal: Arc<AtomicI32>,
}

impl Stop {
    /// A stop that is never requested.
    pub fn never() -> Self {
        Self {
            requested: CancellationToken::new(),
            overdue: CancellationToken::new(),
            signal: Arc::default(),
        }
    }

    /// Handles SIGINT, SIGTERM and SIGHUP.
    pub fn watch() -> anyhow::Result<Self> {
        let stop = Self::never();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            let mut signals = signal(kind).context("cannot catch signals")?;
            let stop = stop.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    stop.request(kind.as_raw_value());
                }
            });
        }
        Ok(stop)
    }

    fn request(&self, signal: i32) {
        if self.requested.is_cancelled() {
            exit(128 + signal);
        }
        self.signal.store(signal, Ordering::Relaxed);
        self.requested.cancel();
        let overdue = self.overdue.clone();
        tokio::spawn(async move {
            tokio::time::sleep(GRACE).await;
            overdue.cancel();
        });
    }

    pub fn is_requested(&self) -> bool {
        self.requested.is_cancelled()
    }

    /// Waits for `what`; none if a stop is requested first.
    pub async fn or<T>(&self, what: impl Future<Output = T>) -> Option<T> {
        self.requested.run_until_cancelled(what).await
    }

    /// Waits for `what`; none if it takes until [`GRACE`] after a stop was requested.
    pub async fn or_overdue<T>(&self, what: impl Future<Output = T>) -> Option<T> {
        self.overdue.run_until_cancelled(what).await
    }

    /// The exit code of a stopped run: 130 after Ctrl-C.
    pub fn exit_code(&self) -> u8 {
        u8::try_from(128 + self.signal.load(Ordering::Relaxed)).unwrap_or(130)
    }
}
