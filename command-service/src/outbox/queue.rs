//! The outbox as a queue: what is to be published, and what has been.

use chrono::{DateTime, Utc};
use shared_events::lowest_event_id;
use sqlx::PgConnection;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Most events of one batch.
pub const BATCH: usize = 1000;

/// How often all unpublished rows are looked for, rather than the recent ones.
const FULL_SCAN_INTERVAL: Duration = Duration::from_secs(1);

/// How far back a recent row's id may lie.
const RECENT: Duration = Duration::from_secs(5);

/// A row to be published.
#[derive(Debug)]
pub struct Pending {
    pub id: Uuid,
    pub topic: String,
    pub event_type: String,
    pub created_at: DateTime<Utc>,
    pub payload: String,
}

/// How many events of a topic were ever committed.
#[derive(Debug)]
pub struct Committed {
    pub topic: String,
    pub count: i64,
    pub at: DateTime<Utc>,
}

/// Reads unpublished rows.
///
/// It looks for rows without a mark, not past a position: a transaction that
/// commits late, with an id lower than others already published, is found like
/// any other. Most polls are bounded from below by id all the same, because an
/// index full of rows marked a moment ago is slow to walk while some old
/// snapshot keeps them from being cleaned up; every second one poll is not.
#[derive(Debug, Default)]
pub struct Scan {
    last_full: Option<Instant>,
    has_backlog: bool,
}

impl Scan {
    /// The next rows, up to [`BATCH`], in the order of their ids.
    pub async fn next(&mut self, connection: &mut PgConnection) -> sqlx::Result<Vec<Pending>> {
        let full = self.has_backlog
            || self.last_full.is_none_or(|last| last.elapsed() >= FULL_SCAN_INTERVAL);
        let from = if full { Uuid::nil() } else { lowest_event_id(Utc::now() - RECENT) };
        let rows = sqlx::query_as!(
            Pending,
            r#"SELECT id, topic, payload ->> 'eventType' AS "event_type!", created_at,
                      payload::text AS "payload!"
               FROM outbox
               WHERE published_at IS NULL AND id >= $1
               ORDER BY id
               LIMIT $2"#,
            from,
            BATCH as i64,
        )
        .fetch_all(connection)
        .await?;
        if full {
            self.last_full = Some(Instant::now());
            self.has_backlog = rows.len() == BATCH;
        }
        Ok(rows)
    }
}

/// Marks rows as published, and counts those that were not before.
pub async fn mark_published(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!(
        "WITH marked AS (
             UPDATE outbox
             SET published_at = clock_timestamp()
             WHERE id = ANY($1) AND published_at IS NULL
             RETURNING topic
         )
         UPDATE outbox_progress AS progress
         SET published = progress.published + fresh.events
         FROM (SELECT topic, count(*) AS events FROM marked GROUP BY topic) AS fresh
         WHERE progress.topic = fresh.topic",
        ids,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// How many events of each topic have been committed by now: one statement,
/// thus one snapshot.
pub async fn committed(connection: &mut PgConnection) -> sqlx::Result<Vec<Committed>> {
    sqlx::query_as!(
        Committed,
        r#"SELECT progress.topic,
                  progress.published + count(pending.id) AS "count!",
                  statement_timestamp() AS "at!"
           FROM outbox_progress AS progress
           LEFT JOIN outbox AS pending
               ON pending.topic = progress.topic AND pending.published_at IS NULL
           GROUP BY progress.topic, progress.published"#,
    )
    .fetch_all(connection)
    .await
}

#[cfg(test)]
mod database_tests {
    use super::*;
    use sqlx::PgPool;
    use sqlx::pool::PoolConnection;

    async fn append(connection: &mut PgConnection, id: Uuid) {
        sqlx::query("INSERT INTO outbox (id, topic, payload) VALUES ($1, 'order-events', $2)")
            .bind(id)
            .bind(serde_json::json!({"eventType": "OrderCreated"}))
            .execute(connection)
            .await
            .unwrap();
    }

    async fn connection(pool: &PgPool) -> PoolConnection<sqlx::Postgres> {
        pool.acquire().await.unwrap()
    }

    async fn committed_orders(connection: &mut PgConnection) -> i64 {
        let committed = committed(connection).await.unwrap();
        committed.iter().find(|row| row.topic == "order-events").unwrap().count
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn a_row_that_commits_late_with_a_lower_id_is_not_skipped(pool: PgPool) {
        let (low, high) = (Uuid::now_v7(), Uuid::now_v7());
        let mut late = pool.begin().await.unwrap();
        append(&mut late, low).await;
        let mut leader = connection(&pool).await;
        append(&mut leader, high).await;
        let mut scan = Scan::default();
        let first = scan.next(&mut leader).await.unwrap();
        assert_eq!(first.iter().map(|row| row.id).collect::<Vec<_>>(), [high]);
        mark_published(&mut leader, &[high]).await.unwrap();
        late.commit().await.unwrap();
        let second = scan.next(&mut leader).await.unwrap();
        assert_eq!(second.iter().map(|row| row.id).collect::<Vec<_>>(), [low]);
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn a_row_is_counted_once_before_and_after_it_is_marked_even_twice(pool: PgPool) {
        let mut leader = connection(&pool).await;
        let ids = [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()];
        for id in ids {
            append(&mut leader, id).await;
        }
        assert_eq!(committed_orders(&mut leader).await, 3);
        // A leader that lost its lock may still mark what another one did.
        for marked in [&ids[..2], &ids[1..], &ids[..]] {
            mark_published(&mut leader, marked).await.unwrap();
            assert_eq!(committed_orders(&mut leader).await, 3);
        }
        assert!(Scan::default().next(&mut leader).await.unwrap().is_empty());
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn what_could_not_be_routed_does_not_get_in(pool: PgPool) {
        for payload in ["{}", "[]", r#"{"eventType": ""}"#, r#"{"eventType": "a.b"}"#] {
            let inserted = sqlx::query(
                "INSERT INTO outbox (id, topic, payload)
                 VALUES (gen_random_uuid(), 'order-events', $1::jsonb)",
            )
            .bind(payload)
            .execute(&pool)
            .await;
            assert!(inserted.is_err(), "{payload}");
        }
    }
}
