//! The lag of the views behind the write side.
//!
//! Watermarks travel through the same outbox, broker and consumer as events, and carry the number
//! of committed events. The lag is the age of the oldest watermark whose number the views have
//! not reached. If all are reached, the lag is zero while the newest watermark is recent. An old
//! newest watermark means that the pipeline has stopped; its age is the lag then.

use crate::metrics::{LAG, NEWEST_EVENT, PENDING};
use crate::openapi;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use service_runtime::problem::Problem;
use service_runtime::tasks;
use shared_events::Topic;
use sqlx::PgPool;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

/// Watermarks arrive every second. An older newest watermark is late.
const RECENT: TimeDelta = TimeDelta::seconds(3);

/// Interval of metric updates, and the timeout of one.
const WATCH_INTERVAL: Duration = Duration::from_secs(5);

/// How far the views are behind.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncStatus {
    /// Time of the newest event applied; null before any.
    #[schema(required = true, examples("2026-11-21T11:44:31.230906Z"))]
    last_processed_event_timestamp: Option<DateTime<Utc>>,
    /// Age of the oldest committed event that no view shows yet, in seconds,
    /// rounded up.
    #[schema(minimum = 0, examples(0))]
    lag_seconds: i64,
    /// The same in milliseconds.
    #[schema(minimum = 0, examples(0))]
    lag_milliseconds: i64,
    /// Whether the views show every command: the lag is 0, and no event of the command
    /// service is a dead letter.
    #[schema(examples(true))]
    is_caught_up: bool,
    /// Committed events that no view shows yet, by the newest watermarks; null while they
    /// are too old, for example while the broker is unavailable.
    #[schema(required = true, minimum = 0, examples(0))]
    pending_events: Option<i64>,
    /// Events and other messages that could not be applied, of any sender.
    #[schema(minimum = 0, examples(0))]
    dead_letters: i64,
    /// Events applied since the views were created.
    #[schema(examples(3))]
    events_applied: i64,
}

/// The same, by the short path, with an additional shorter name.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShortSyncStatus {
    /// The same as `lastProcessedEventTimestamp`.
    #[schema(required = true, examples("2026-11-21T11:44:31.230906Z"))]
    last_processed_timestamp: Option<DateTime<Utc>>,
    #[serde(flatten)]
    status: SyncStatus,
}

/// How far the views are behind
#[utoipa::path(
    get,
    path = "/api/analytics/sync-status",
    operation_id = "getSyncStatus",
    tag = openapi::ANALYTICS,
    responses((status = 200, description = "The lag.", body = SyncStatus))
)]
pub async fn get(State(pool): State<PgPool>) -> Result<Json<SyncStatus>, Problem> {
    Ok(Json(read(&pool).await?))
}

/// How far the views are behind, by a short path
#[utoipa::path(
    get,
    path = "/sync-status",
    operation_id = "getShortSyncStatus",
    tag = openapi::ANALYTICS,
    responses((status = 200, description = "The lag.", body = ShortSyncStatus))
)]
pub async fn get_short(State(pool): State<PgPool>) -> Result<Json<ShortSyncStatus>, Problem> {
    let status = read(&pool).await?;
    let last_processed_timestamp = status.last_processed_event_timestamp;
    Ok(Json(ShortSyncStatus { last_processed_timestamp, status }))
}

/// Updates the metrics until shutdown.
pub async fn watch(pool: PgPool, shutdown: CancellationToken) {
    tasks::repeat(WATCH_INTERVAL, shutdown, || async {
        let status = timeout(WATCH_INTERVAL, read(&pool)).await;
        update_metrics(status.ok().and_then(Result::ok).as_ref());
    })
    .await;
}

/// Without a status, because the database is not reachable, the metrics are NaN.
fn update_metrics(status: Option<&SyncStatus>) {
    let known = |value: Option<f64>| value.unwrap_or(f64::NAN);
    LAG.set(known(status.map(|status| status.lag_milliseconds as f64 / 1_000.0)));
    let pending = status.and_then(|status| status.pending_events);
    PENDING.set(known(pending.map(|pending| pending as f64)));
    let newest = status.and_then(|status| status.last_processed_event_timestamp);
    NEWEST_EVENT.set(known(newest.map(|newest| newest.timestamp_micros() as f64 / 1e6)));
}

async fn read(pool: &PgPool) -> sqlx::Result<SyncStatus> {
    let topics = Topic::ALL.map(|topic| topic.name().to_owned());
    let row = sqlx::query_file!("src/sync_status.sql", &topics[..]).fetch_one(pool).await?;
    let lag = lag(row.now, row.oldest_unreached, row.newest);
    let lag_milliseconds = lag.num_milliseconds();
    Ok(SyncStatus {
        last_processed_event_timestamp: row.last_processed_event_timestamp,
        lag_seconds: (lag_milliseconds + 999) / 1000,
        lag_milliseconds,
        is_caught_up: lag.is_zero() && !row.lacks_our_events,
        // If events are known to be missing, the number is at least a lower bound.
        pending_events: (is_recent(row.now, row.newest) || row.oldest_unreached.is_some())
            .then_some(row.pending_events),
        dead_letters: row.dead_letters,
        events_applied: row.events_applied,
    })
}

fn lag(
    now: DateTime<Utc>,
    oldest_unreached: Option<DateTime<Utc>>,
    newest: Option<DateTime<Utc>>,
) -> TimeDelta {
    // The smallest lag if events are missing but the clocks of the databases differ, or the
    // tables were emptied.
    let smallest = TimeDelta::milliseconds(1);
    match (oldest_unreached, newest) {
        (Some(unreached), _) => (now - unreached).max(smallest),
        (None, Some(_)) if is_recent(now, newest) => TimeDelta::zero(),
        (None, Some(newest)) => now - newest,
        (None, None) => smallest,
    }
}

/// Whether every topic has a recent watermark.
fn is_recent(now: DateTime<Utc>, newest: Option<DateTime<Utc>>) -> bool {
    newest.is_some_and(|newest| now - newest < RECENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    #[test]
    fn the_lag_is_zero_if_all_watermarks_are_reached_and_recent() {
        assert_eq!(lag(at(102), None, Some(at(100))), TimeDelta::zero());
    }

    #[test]
    fn the_lag_of_a_stopped_pipeline_is_the_age_of_the_newest_watermark() {
        assert_eq!(lag(at(110), None, Some(at(100))), TimeDelta::seconds(10));
    }

    #[test]
    fn the_lag_is_not_zero_without_any_watermark() {
        assert!(lag(at(110), None, None) > TimeDelta::zero());
        assert!(!is_recent(at(110), None));
    }

    #[test]
    fn the_lag_is_the_age_of_the_oldest_watermark_not_reached() {
        assert_eq!(lag(at(110), Some(at(104)), Some(at(109))), TimeDelta::seconds(6));
        assert!(lag(at(110), Some(at(111)), Some(at(111))) > TimeDelta::zero());
    }
}
