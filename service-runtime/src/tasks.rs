//! Supervised tasks and graceful shutdown.

use crate::trace_export;
use anyhow::{Context, bail};
use std::future::Future;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// Time for tasks to end after the shutdown token is cancelled. Docker kills the process
/// after 10 s by default.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(8);

/// The tasks of a service. If one fails or panics, the others are shut down and the process
/// exits, so that its supervisor restarts it.
#[derive(Debug, Default)]
pub struct Tasks {
    set: JoinSet<(&'static str, anyhow::Result<()>)>,
    shutdown: CancellationToken,
}

impl Tasks {
    /// The token that is cancelled when the service stops.
    pub fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Adds a task. It runs until the shutdown token is cancelled.
    pub fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.set.spawn(async move { (name, task.await) });
    }

    /// Runs until SIGTERM, SIGINT or the first failure, then shuts all tasks down.
    ///
    /// # Errors
    /// If a task failed, panicked, or did not end in time.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let first = tokio::select! {
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
            Some(ended) = self.set.join_next() => outcome(ended).and_then(|name| {
                bail!("task {name} ended before the shutdown")
            }),
        };
        if let Err(error) = &first {
            error!("stopping because a task failed: {error:#}");
        } else {
            info!("stopping");
        }
        self.shutdown.cancel();
        let rest = async {
            let mut first_error = Ok(());
            while let Some(ended) = self.set.join_next().await {
                first_error = first_error.and(outcome(ended).map(|_| ()));
            }
            first_error
        };
        let rest = tokio::time::timeout(SHUTDOWN_TIMEOUT, rest).await;
        trace_export::shut_down().await;
        first?;
        rest.context("tasks did not end in time")??;
        info!("stopped");
        Ok(())
    }
}

/// The name of the task that ended, or why it failed.
fn outcome(
    ended: Result<(&'static str, anyhow::Result<()>), JoinError>,
) -> anyhow::Result<&'static str> {
    match ended {
        Ok((name, result)) => result.map(|()| name).with_context(|| format!("task {name}")),
        // The panic hook has logged the reason.
        Err(_) => bail!("a task panicked"),
    }
}
