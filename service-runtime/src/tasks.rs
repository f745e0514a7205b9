//! Supervised tasks and an orderly end.

use crate::trace_export;
use anyhow::{Context, bail};
use std::future::Future;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// How long tasks have to end once they were asked to: less than the 10 seconds
/// after which Docker kills, unless told otherwise.
const GRACE: Duration = Duration::from_secs(8);

/// The tasks that a service consists of. They live and end together: one that
/// fails or panics takes the process down, in an orderly way, for a supervisor
/// outside to start it afresh.
#[derive(Debug, Default)]
pub struct Tasks {
    set: JoinSet<(&'static str, anyhow::Result<()>)>,
    shutdown: CancellationToken,
}

impl Tasks {
    /// The token that is cancelled when the service shall end.
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

    /// Runs until SIGTERM, SIGINT or the first failure, then has all tasks end.
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
                bail!("task {name} ended before it was asked to")
            }),
        };
        if let Err(error) = &first {
            error!("stopping, as a task failed: {error:#}");
        } else {
            info!("stopping");
        }
        self.shutdown.cancel();
        let rest = async {
            let mut worst = Ok(());
            while let Some(ended) = self.set.join_next().await {
                worst = worst.and(outcome(ended).map(|_| ()));
            }
            worst
        };
        let rest = tokio::time::timeout(GRACE, rest).await;
        trace_export::end().await;
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
        // Why was logged where it did.
        Err(_) => bail!("a task panicked"),
    }
}
