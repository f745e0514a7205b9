//! Health after a failure that affects other requests as well: no space, no right, no
//! connection.
//!
//! The health probe of such a database succeeds. So a part of health goes down with the
//! first such failure, and up when a probe that does the same kind of work succeeds.
//! Without failures no probe runs.

use crate::database_failure::{Failure, lasting, log, no_answer};
use crate::health::Reporter;
use sqlx::PgPool;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Interval between probes.
const INTERVAL: Duration = Duration::from_secs(1);

/// A probe that takes longer has failed.
const DEADLINE: Duration = Duration::from_secs(5);

/// Reports the part until shutdown: down after a failure is
/// [reported](crate::postgres::report), up again when `probe` succeeds. The probe does
/// the same kind of work as requests, on the same pool.
pub async fn watch<F: Future<Output = sqlx::Result<()>>>(
    pool: PgPool,
    probe: impl Fn(PgPool) -> F,
    reporter: Reporter,
    shutdown: CancellationToken,
) {
    let mut failed = lasting();
    loop {
        reporter.up();
        let Some(Ok(())) = shutdown.run_until_cancelled(failed.changed()).await else { return };
        reporter.down(*failed.borrow_and_update());
        loop {
            if shutdown.run_until_cancelled(sleep(INTERVAL)).await.is_none() {
                return;
            }
            // Ignore failures from before this probe.
            failed.mark_unchanged();
            match timeout(DEADLINE, probe(pool.clone())).await.unwrap_or(Err(no_answer(DEADLINE))) {
                Ok(()) => break,
                Err(error) => reporter.down(match log(&error) {
                    Failure::Other => "The database refuses the probe.",
                    failure => failure.message(),
                }),
            }
        }
    }
}
