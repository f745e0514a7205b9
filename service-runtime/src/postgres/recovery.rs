//! Health after a failure that also affects other requests: disk full, missing privilege,
//! no free connection.
//!
//! The health probe of such a database succeeds. So a dependency goes down with the first
//! such failure, and up when a probe that does the same kind of work succeeds. Without
//! failures no probe runs.

use super::failure::{Failure, in_time, log, persistent_failures};
use crate::health::DependencyStatus;
use sqlx::PgPool;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Interval between probes.
const INTERVAL: Duration = Duration::from_secs(1);

/// A probe that takes longer has failed.
const DEADLINE: Duration = Duration::from_secs(5);

/// Sets the status until shutdown: down after a failure is
/// [reported](crate::postgres::report), up when `probe` succeeds. The probe does the same
/// kind of work as requests, on the same pool.
pub async fn watch<F: Future<Output = sqlx::Result<()>>>(
    pool: PgPool,
    probe: impl Fn(PgPool) -> F,
    status: DependencyStatus,
    shutdown: CancellationToken,
) {
    let mut failures = persistent_failures();
    loop {
        status.up();
        let Some(Ok(())) = shutdown.run_until_cancelled(failures.changed()).await else { return };
        status.down(*failures.borrow_and_update());
        loop {
            if shutdown.run_until_cancelled(sleep(INTERVAL)).await.is_none() {
                return;
            }
            // Ignore failures from before this probe.
            failures.mark_unchanged();
            match in_time(DEADLINE, probe(pool.clone())).await {
                Ok(()) => break,
                Err(error) => status.down(match log(&error) {
                    Failure::Other => "The database refuses the probe.",
                    failure => failure.message(),
                }),
            }
        }
    }
}
