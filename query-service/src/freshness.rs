//! How fresh the views are.
//!
//! Lag is told by watermarks, which travelled the whole pipe: outbox, broker,
//! consumer. It is the age of the oldest watermark whose count of events the
//! views have not reached. If all are reached it is zero, as long as the newest
//! is young; else the pipe stands still, and nobody knows what is behind.

use crate::metrics::{LAG, NEWEST_EVENT, PENDING};
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use service_runtime::problem::Problem;
use sqlx::PgPool;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Watermarks come every second. One that is older than this is late.
const WATERMARK_PATIENCE: TimeDelta = TimeDelta::seconds(3);

/// How often metrics are told, and how long that may take.
const WATCH_INTERVAL: Duration = Duration::from_secs(5);

/// `GET /api/analytics/sync-status`
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncStatus {
    /// Time of the newest event applied; null before any.
    last_processed_event_timestamp: Option<DateTime<Utc>>,
    /// Age of the oldest committed event that no view shows yet, in seconds,
    /// rounded up.
    lag_seconds: i64,
    /// The same in milliseconds.
    lag_milliseconds: i64,
    is_caught_up: bool,
    /// Committed events that no view shows yet, by the newest watermarks.
    pending_events: i64,
    /// Events applied since the views began.
    events_applied: i64,
}

/// The same, by the short path: with a shorter name beside.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShortSyncStatus {
    last_processed_timestamp: Option<DateTime<Utc>>,
    #[serde(flatten)]
    status: SyncStatus,
}

/// `GET /api/analytics/sync-status`
pub async fn get(State(pool): State<PgPool>) -> Result<Json<SyncStatus>, Problem> {
    Ok(Json(read(&pool).await?))
}

/// `GET /sync-status`
pub async fn get_short(State(pool): State<PgPool>) -> Result<Json<ShortSyncStatus>, Problem> {
    let status = read(&pool).await?;
    let last_processed_timestamp = status.last_processed_event_timestamp;
    Ok(Json(ShortSyncStatus { last_processed_timestamp, status }))
}

/// Tells metrics of it, until shutdown.
pub async fn watch(pool: PgPool, shutdown: CancellationToken) {
    loop {
        let status = timeout(WATCH_INTERVAL, read(&pool)).await;
        note(status.ok().and_then(Result::ok).as_ref());
        if shutdown.run_until_cancelled(sleep(WATCH_INTERVAL)).await.is_none() {
            return;
        }
    }
}

/// None: the database is away, and nobody knows.
fn note(status: Option<&SyncStatus>) {
    let known = |value: Option<f64>| value.unwrap_or(f64::NAN);
    LAG.set(known(status.map(|status| status.lag_milliseconds as f64 / 1_000.0)));
    PENDING.set(known(status.map(|status| status.pending_events as f64)));
    let newest = status.and_then(|status| status.last_processed_event_timestamp);
    NEWEST_EVENT.set(known(newest.map(|newest| newest.timestamp_micros() as f64 / 1e6)));
}

async fn read(pool: &PgPool) -> sqlx::Result<SyncStatus> {
    let row = sqlx::query_file!("src/freshness.sql").fetch_one(pool).await?;
    let lag = lag(row.now, row.oldest_unreached, row.newest);
    let lag_milliseconds = lag.num_milliseconds();
    Ok(SyncStatus {
        last_processed_event_timestamp: row.last_processed_event_timestamp,
        lag_seconds: (lag_milliseconds + 999) / 1000,
        lag_milliseconds,
        is_caught_up: lag.is_zero(),
        pending_events: row.pending_events,
        events_applied: row.events_applied,
    })
}

fn lag(
    now: DateTime<Utc>,
    oldest_unreached: Option<DateTime<Utc>>,
    newest: DateTime<Utc>,
) -> TimeDelta {
    match oldest_unreached {
        // At least a millisecond, should the clocks of two databases disagree.
        Some(unreached) => (now - unreached).max(TimeDelta::milliseconds(1)),
        None if now - newest < WATERMARK_PATIENCE => TimeDelta::zero(),
        None => now - newest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    #[test]
    fn all_reached_and_the_pipe_alive_is_no_lag() {
        assert_eq!(lag(at(102), None, at(100)), TimeDelta::zero());
    }

    #[test]
    fn a_pipe_that_stands_still_lags_since_its_last_sign_of_life() {
        assert_eq!(lag(at(110), None, at(100)), TimeDelta::seconds(10));
    }

    #[test]
    fn lag_counts_from_the_oldest_count_not_reached() {
        assert_eq!(lag(at(110), Some(at(104)), at(109)), TimeDelta::seconds(6));
        assert!(lag(at(110), Some(at(111)), at(111)) > TimeDelta::zero());
    }
}
