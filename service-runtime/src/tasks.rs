//! Supervised tasks and graceful shutdown.

use crate::trace_export;
use anyhow::{Context, anyhow};
use std::future::Future;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// Time for tasks to end after the shutdown token is cancelled. Docker kills the process
/// after 10 s by default.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(8);

/// The panic hook has logged the reason.
const PANICKED: &str = "a task panicked";

/// The tasks of a service. If one panics or ends early, the others are shut down and the
/// process exits, so that its supervisor restarts it.
#[derive(Debug, Default)]
pub struct Tasks {
    set: JoinSet<&'static str>,
    shutdown: CancellationToken,
}

impl Tasks {
    /// The token that is cancelled when the service stops.
    pub fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Adds a task. It runs until the shutdown token is cancelled.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.set.spawn(async move {
            task.await;
            name
        });
    }

    /// Runs until SIGTERM, SIGINT or the first failure, then shuts all tasks down.
    ///
    /// # Errors
    /// If a task panicked, ended early, or did not end in time.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let first = tokio::select! {
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
            Some(ended) = self.set.join_next() => Err(match ended {
                Ok(name) => anyhow!("task {name} ended before the shutdown"),
                Err(_) => anyhow!(PANICKED),
            }),
        };
        if let Err(error) = &first {
            error!("stopping because a task failed: {error:#}");
        } else {
            info!("stopping");
        }
        self.shutdown.cancel();
        let rest = async {
            let mut rest = Ok(());
            while let Some(ended) = self.set.join_next().await {
                rest = rest.and(ended.map(|_| ()));
            }
            rest
        };
        let rest = tokio::time::timeout(SHUTDOWN_TIMEOUT, rest).await;
        trace_export::shut_down().await;
        first?;
        rest.context("tasks did not end in time")?.ok().context(PANICKED)?;
        info!("stopped");
        Ok(())
    }
}

/// Runs a job, and again an interval after its end, until shutdown.
pub async fn repeat<F: Future<Output = ()>>(
    interval: Duration,
    shutdown: CancellationToken,
    mut job: impl FnMut() -> F,
) {
    loop {
        job().await;
        if shutdown.run_until_cancelled(tokio::time::sleep(interval)).await.is_none() {
            return;
        }
    }
}
