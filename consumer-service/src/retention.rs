//! Prunes deduplication records (`processed_events`).
//!
//! Without a limit they are kept for ever. With a limit, older records are deleted in small
//! batches. Whether an older event was applied is then unknown. So the limit is stored before
//! records are deleted, and an older event that arrives becomes a dead letter: see
//! `record_events.sql`.

use crate::apply::LOCK;
use chrono::{DateTime, Utc};
use service_runtime::postgres::{acquire_for_transaction, done};
use service_runtime::tasks;
use shared_events::lowest_event_id;
use sqlx::{Connection, PgPool};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Interval between prunings.
const INTERVAL: Duration = Duration::from_secs(600);

/// Limit of records that one statement deletes.
const BATCH: i64 = 5_000;

/// An event that was processed this long before the limit is older than the limit. Event times
/// may be 5 minutes ahead, and clocks may differ.
const SAFETY: Duration = Duration::from_secs(900);

/// Prunes records older than `age` periodically until shutdown. Without `age` it returns.
pub async fn prune_old(pool: PgPool, age: Option<Duration>, shutdown: CancellationToken) {
    let Some(age) = age else { return };
    let prune = async || match raise(&pool, age).await? {
        Some(since) => prune_before(&pool, since, &shutdown).await,
        None => Ok(0),
    };
    tasks::repeat(INTERVAL, shutdown.clone(), || async {
        match prune().await {
            Ok(0) => {}
            Ok(records) => info!("pruned {records} deduplication records"),
            Err(error) => warn!("cannot prune deduplication records, retrying later: {error}"),
        }
    })
    .await;
}

/// Raises the limit, if there are older records, and returns it. The limit never goes back.
/// While events are known to be missing, nothing is pruned, because the missing events may be
/// as old. Waits for the transactions that are applying events.
async fn raise(pool: &PgPool, age: Duration) -> sqlx::Result<Option<DateTime<Utc>>> {
    let mut connection = acquire_for_transaction(pool).await?;
    let mut transaction = connection.begin().await?;
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", LOCK).execute(&mut *transaction).await?;
    let now = sqlx::query_scalar!(r#"SELECT now() AS "now!""#).fetch_one(&mut *transaction).await?;
    // The earlier clock: a clock that is ahead would prune too much, irreversibly.
    let since = now.min(Utc::now()) - age;
    let stored = sqlx::query_file_scalar!(
        "src/raise_limit.sql",
        since,
        lowest_event_id(since),
        since - SAFETY,
        lowest_event_id(since - SAFETY),
    )
    .fetch_optional(&mut *transaction)
    .await?;
    transaction.commit().await?;
    done(connection);
    Ok(stored)
}

/// Deletes the records of events processed before `since`, in batches; returns their number.
async fn prune_before(
    pool: &PgPool,
    since: DateTime<Utc>,
    shutdown: &CancellationToken,
) -> sqlx::Result<u64> {
    let mut pruned = 0;
    while !shutdown.is_cancelled() {
        // By id, which contains the time of our own events, because the time has no index.
        // Records of external events without a time in the id are kept.
        let done = sqlx::query!(
            "DELETE FROM processed_events
             WHERE event_id = ANY (ARRAY(
                 SELECT event_id
                 FROM processed_events
                 WHERE event_id < $1 AND processed_at < $2
                 ORDER BY event_id
                 LIMIT $3
             ))",
            lowest_event_id(since - SAFETY),
            since - SAFETY,
            BATCH,
        )
        .execute(pool)
        .await?;
        pruned += done.rows_affected();
        if done.rows_affected() < BATCH as u64 {
            break;
        }
    }
    Ok(pruned)
}

#[cfg(test)]
mod database_tests {
    use super::*;
    use crate::apply::apply;
    use crate::apply::database_tests::{ours, seen};
    use crate::projections::sample_events::{line, order};
    use crate::test_database::{execute, value};
    use chrono::TimeDelta;
    use shared_events::Event;

    /// An event that is some hours old.
    fn aged(order_id: i64, hours: i64) -> Event {
        let mut event = order(order_id, 7, vec![line(1, "Tea", 2, "1.5")]);
        event.envelope.timestamp = shared_events::now() - TimeDelta::hours(hours);
        let id = lowest_event_id(event.envelope.timestamp).as_u128() + order_id as u128;
        event.envelope.event_id = uuid::Uuid::from_u128(id);
        event
    }

    const HOUR: Duration = Duration::from_secs(3600);

    async fn age_all(pool: &PgPool) {
        let age = "UPDATE processed_events SET processed_at = now() - interval '48 hours'";
        execute(pool, age).await;
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn an_event_without_a_record_becomes_a_dead_letter(pool: PgPool) {
        let (old, new, late) = (aged(1, 48), aged(2, 1), aged(3, 47));
        apply(&pool, &[ours(old.clone()), ours(new.clone())]).await.unwrap();
        age_all(&pool).await;
        let day = raise(&pool, 24 * HOUR).await.unwrap().unwrap();
        assert_eq!(prune_before(&pool, day, &CancellationToken::new()).await.unwrap(), 1);
        // The limit does not go back.
        assert!(raise(&pool, 30 * HOUR).await.unwrap().is_none_or(|since| since >= day));

        // An event that was applied, one that never arrived, one with a record.
        apply(&pool, &[ours(old.clone()), ours(late.clone()), ours(new)]).await.unwrap();
        apply(&pool, &[ours(old)]).await.unwrap();
        assert_eq!(value::<i64>(&pool, "SELECT count(*) FROM orders_read").await, 2);
        assert_eq!(
            value::<i64>(&pool, "SELECT sum(order_count)::bigint FROM customer_ltv_view").await,
            2
        );
        let dead_letters = "SELECT count(*) FROM dead_letters
                      WHERE reason LIKE 'older than dedupe memory%'
                          AND forgotten AND ours AND NOT counted";
        assert_eq!(value::<i64>(&pool, dead_letters).await, 2);
        // The event that never arrived does not count as seen.
        assert_eq!(seen(&pool).await, 2);
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn nothing_is_pruned_while_views_are_rebuilt(pool: PgPool) {
        assert_eq!(raise(&pool, HOUR).await.unwrap(), None);
        apply(&pool, &[ours(aged(1, 48))]).await.unwrap();
        assert_eq!(raise(&pool, HOUR).await.unwrap(), None, "it was processed just now");
        age_all(&pool).await;
        let missing = "UPDATE watermarks SET committed = 2 WHERE topic = 'order-events'";
        execute(&pool, missing).await;
        assert_eq!(raise(&pool, HOUR).await.unwrap(), None, "an event is missing");
        apply(&pool, &[ours(aged(2, 48))]).await.unwrap();
        assert_eq!(value::<i64>(&pool, "SELECT count(*) FROM orders_read").await, 2);
        age_all(&pool).await;
        assert!(raise(&pool, HOUR).await.unwrap().is_some());
    }
}
