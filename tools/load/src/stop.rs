//! Ctrl-C and its relatives.
//!
//! The first signal asks for the end: nothing more is sent, and answers that
//! are under way have [`GRACE`] to arrive. The second ends the program.

use anyhow::Context;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long answers under way are waited for.
const GRACE: Duration = Duration::from_secs(2);

/// Whether the end was asked for.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: CancellationToken,
    overdue: CancellationToken,
    signal: Arc<AtomicI32>,
}

impl Stop {
    /// A stop that nobody asks for.
    pub fn never() -> Self {
        Self {
            asked: CancellationToken::new(),
            overdue: CancellationToken::new(),
            signal: Arc::default(),
        }
    }

    /// Watches SIGINT, SIGTERM and SIGHUP.
    ///
    /// # Errors
    /// If they cannot be caught.
    pub fn watch() -> anyhow::Result<Self> {
        let stop = Self::never();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            let mut signals = signal(kind).context("cannot catch signals")?;
            let stop = stop.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    stop.ask(kind.as_raw_value());
                }
            });
        }
        Ok(stop)
    }

    fn ask(&self, signal: i32) {
        if self.asked.is_cancelled() {
            exit(128 + signal);
        }
        self.signal.store(signal, Ordering::Relaxed);
        self.asked.cancel();
        let overdue = self.overdue.clone();
        tokio::spawn(async move {
            tokio::time::sleep(GRACE).await;
            overdue.cancel();
        });
    }

    /// Whether the end was asked for.
    pub fn is_asked(&self) -> bool {
        self.asked.is_cancelled()
    }

    /// Waits for `what`, or until the end is asked for: then none.
    pub async fn or<T>(&self, what: impl Future<Output = T>) -> Option<T> {
        self.asked.run_until_cancelled(what).await
    }

    /// Waits for `what`, or until [`GRACE`] after the end was asked for: then
    /// none.
    pub async fn or_overdue<T>(&self, what: impl Future<Output = T>) -> Option<T> {
        self.overdue.run_until_cancelled(what).await
    }

    /// The exit code of a run that was stopped: 130 by Ctrl-C.
    pub fn exit_code(&self) -> u8 {
        u8::try_from(128 + self.signal.load(Ordering::Relaxed)).unwrap_or(130)
    }
}
