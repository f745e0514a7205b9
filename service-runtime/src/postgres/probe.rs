//! Probes a database every second.

use super::{ACQUIRE_TIMEOUT, Failure, named};
use crate::clock::Clock;
use crate::health::DependencyStatus;
use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const INTERVAL: Duration = Duration::from_secs(1);

/// After a slower response the clock comparison is too inaccurate.
const CLOCK_ROUND_TRIP: Duration = Duration::from_secs(1);

/// Reports the health of a database until shutdown, and compares its clock with that of
/// this process. The database is healthy when the statement `probe` succeeds. The probe
/// has its own connection, so an exhausted pool does not make the database unhealthy.
pub async fn watch(
    options: PgConnectOptions,
    probe: &'static str,
    status: DependencyStatus,
    clock: Clock,
    shutdown: CancellationToken,
) {
    let options = named(&options, "health");
    let mut connection = None;
    loop {
        let probing = run(&options, &mut connection, probe, &clock);
        let outcome = tokio::time::timeout(ACQUIRE_TIMEOUT, probing).await;
        match &outcome {
            Ok(Ok(())) => status.up(),
            Ok(Err(error)) if Failure::of(error) == Failure::NotMigrated => {
                status.down("not migrated yet");
            }
            Ok(Err(error)) => status.down(error),
            Err(_) => status.down("no response within 3 s"),
        }
        if !matches!(outcome, Ok(Ok(()))) {
            // It may be broken; the next probe opens a new one.
            connection = None;
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_none() {
            return;
        }
    }
}

async fn run(
    options: &PgConnectOptions,
    connection: &mut Option<PgConnection>,
    probe: &'static str,
    clock: &Clock,
) -> sqlx::Result<()> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(PgConnection::connect_with(options).await?),
    };
    sqlx::query(probe).execute(&mut *connection).await?;
    let (time, start) = (Utc::now(), Instant::now());
    let database_time: DateTime<Utc> =
        sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(connection).await?;
    let round_trip = start.elapsed();
    // The database read its clock about halfway through the round trip.
    let half = round_trip / 2;
    if round_trip < CLOCK_ROUND_TRIP || !clock.is_known() {
        clock.compare(time + half, start + half, database_time);
    }
    Ok(())
}
