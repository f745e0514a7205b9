//! Health after a failure that other requests will meet as well: no space, no right, no
//! connection.
//!
//! Such a database answers and looks well from afar. So a part of health goes down with
//! the first such failure, and comes up when the service has tried a probe of the same
//! kind of work and succeeded. Nothing is tried while nothing fails.

use crate::database_failure::{Failure, log, no_answer};
use crate::health::Reporter;
use sqlx::PgPool;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How often the probe is tried.
const INTERVAL: Duration = Duration::from_secs(1);

/// A probe that takes longer has failed.
const DEADLINE: Duration = Duration::from_secs(5);

/// The last failure of this process.
static FAILED: LazyLock<watch::Sender<&'static str>> = LazyLock::new(|| watch::Sender::new(""));

/// Has the part go down.
pub(crate) fn begin(message: &'static str) {
    FAILED.send_replace(message);
}

/// Reports whether the service can do its work on a pool, until shutdown: up, until a
/// failure is [reported](crate::postgres::report), and again when `probe` has succeeded.
/// The probe does the same kind of work as requests do, on the same pool.
pub async fn watch<F: Future<Output = sqlx::Result<()>>>(
    pool: PgPool,
    probe: impl Fn(PgPool) -> F,
    reporter: Reporter,
    shutdown: CancellationToken,
) {
    let mut failed = FAILED.subscribe();
    loop {
        reporter.up();
        let Some(Ok(())) = shutdown.run_until_cancelled(failed.changed()).await else { return };
        reporter.down(*failed.borrow_and_update());
        loop {
            if shutdown.run_until_cancelled(sleep(INTERVAL)).await.is_none() {
                return;
            }
            // Requests that failed before this probe say nothing about the time after it.
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
