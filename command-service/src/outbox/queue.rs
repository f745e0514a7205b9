//! The outbox as a queue: reads unpublished events and marks published ones.

use chrono::{DateTime, Utc};
use shared_events::{Topic, Watermark, lowest_event_id};
use sqlx::PgConnection;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Maximum number of events in a batch.
pub const BATCH: usize = 1000;

/// A batch ends with the event that reaches this size, in bytes as stored. PostgreSQL compresses
/// large events, an order of 2,000 lines to a seventh of its size, so this is about 7 MB of JSON.
/// A thousand typical events are smaller.
pub const BATCH_BYTES: i64 = 1 << 20;

/// Interval of scans of all unpublished rows; other scans read recent rows only.
const FULL_SCAN_INTERVAL: Duration = Duration::from_secs(1);

/// Maximum age of a recent row, by its id.
const RECENT: Duration = Duration::from_secs(5);

/// An unpublished row.
#[derive(Debug)]
pub struct Pending {
    pub id: Uuid,
    pub topic: String,
    pub event_type: String,
    pub created_at: DateTime<Utc>,
    pub payload: String,
    /// Size of this payload and the previous ones of the batch, in bytes as stored.
    pub stored_bytes: i64,
}

/// State of reading the unpublished rows of a topic.
///
/// A scan finds rows without a mark, not rows after a position. So it finds the row of a
/// transaction that commits late, with a lower id than published rows. Most scans still have a
/// lower bound of ids, because the index is slow to read while an old snapshot keeps PostgreSQL
/// from removing the entries of rows just marked. Once a second a scan has no bound.
#[derive(Debug, Default)]
pub struct Scan {
    last_full: Option<Instant>,
    has_backlog: bool,
}

impl Scan {
    fn is_full(&self) -> bool {
        self.has_backlog || self.last_full.is_none_or(|last| last.elapsed() >= FULL_SCAN_INTERVAL)
    }

    fn record(&mut self, was_full: bool, rows: &[Pending]) {
        if was_full {
            self.last_full = Some(Instant::now());
            let is_at_limit = |row: &Pending| row.stored_bytes >= BATCH_BYTES;
            self.has_backlog = rows.len() == BATCH || rows.iter().any(is_at_limit);
        }
    }
}

/// Reads the next batch of each of these topics, lowest ids first: up to [`BATCH`] rows or
/// [`BATCH_BYTES`]. One statement reads all topics, so that an idle outbox costs one query per
/// poll.
pub async fn next(
    connection: &mut PgConnection,
    scans: &mut [(Topic, &mut Scan)],
) -> sqlx::Result<Vec<Vec<Pending>>> {
    let full: Vec<bool> = scans.iter().map(|(_, scan)| scan.is_full()).collect();
    let recent = lowest_event_id(Utc::now() - RECENT);
    let from: Vec<Uuid> =
        full.iter().map(|is_full| if *is_full { Uuid::nil() } else { recent }).collect();
    let topics: Vec<String> = scans.iter().map(|(topic, _)| topic.name().to_owned()).collect();
    let mut rows = sqlx::query_file_as!(
        Pending,
        "src/outbox/next.sql",
        &topics,
        &from,
        BATCH as i64,
        BATCH_BYTES,
    )
    .fetch_all(connection)
    .await?;
    let batches = scans.iter_mut().zip(full).map(|((topic, scan), was_full)| {
        let batch: Vec<Pending> = rows.extract_if(.., |row| row.topic == topic.name()).collect();
        scan.record(was_full, &batch);
        batch
    });
    Ok(batches.collect())
}

/// Marks rows as published. A trigger counts the rows that were not marked before.
pub async fn mark_published(connection: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE outbox
         SET published_at = clock_timestamp()
         WHERE id = ANY($1) AND published_at IS NULL",
        ids,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Counts the committed events of each topic, in one statement and so in one snapshot.
pub async fn committed(connection: &mut PgConnection) -> sqlx::Result<Vec<Watermark>> {
    let rows = sqlx::query!(
        // Rows deleted by hand could make it negative.
        r#"SELECT topic AS "topic!",
                  greatest(
                      coalesce(
                          (SELECT published FROM outbox_progress WHERE topic = counted.topic), 0
                      ) + (
                          SELECT count(*)
                          FROM outbox
                          WHERE topic = counted.topic AND published_at IS NULL
                      ),
                      0
                  ) AS "committed!",
                  statement_timestamp() AS "taken_at!"
           FROM unnest($1::text[]) AS counted (topic)"#,
        &Topic::ALL.map(|topic| topic.name().to_owned())[..],
    )
    .fetch_all(connection)
    .await?;
    let watermarks = rows.into_iter().filter_map(|row| {
        let topic = row.topic.parse().ok()?;
        Some(Watermark { topic, taken_at: row.taken_at, committed: row.committed })
    });
    Ok(watermarks.collect())
}

#[cfg(test)]
mod database_tests {
    use super::*;
    use sqlx::PgPool;

    const TOPIC: Topic = Topic::Orders;

    async fn append_to(connection: &mut PgConnection, topic: Topic, ids: &[Uuid], text: &str) {
        sqlx::query("INSERT INTO outbox (id, topic, payload) SELECT unnest($1::uuid[]), $2, $3")
            .bind(ids)
            .bind(topic.name())
            .bind(serde_json::json!({"eventType": "OrderCreated", "text": text}))
            .execute(connection)
            .await
            .unwrap();
    }

    async fn append(connection: &mut PgConnection, count: usize) -> Vec<Uuid> {
        let ids: Vec<Uuid> = (0..count).map(|_| Uuid::now_v7()).collect();
        append_to(connection, TOPIC, &ids, "").await;
        ids
    }

    async fn next_ids(connection: &mut PgConnection, scan: &mut Scan) -> Vec<Uuid> {
        let batches = next(connection, &mut [(TOPIC, scan)]).await.unwrap();
        batches[0].iter().map(|row| row.id).collect()
    }

    async fn committed_orders(connection: &mut PgConnection) -> i64 {
        let committed = committed(connection).await.unwrap();
        committed.iter().find(|watermark| watermark.topic == TOPIC).unwrap().committed
    }

    /// The count in `outbox_progress`, and the actual one.
    async fn published(connection: &mut PgConnection) -> (i64, i64) {
        let sql = "SELECT (SELECT published FROM outbox_progress WHERE topic = 'order-events'),
                          (SELECT count(*) FROM outbox
                           WHERE topic = 'order-events' AND published_at IS NOT NULL)";
        sqlx::query_as(sql).fetch_one(connection).await.unwrap()
    }

    async fn run(connection: &mut PgConnection, sql: &'static str) {
        sqlx::raw_sql(sql).execute(connection).await.unwrap();
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn a_row_that_commits_late_with_a_lower_id_is_published(pool: PgPool) {
        let (low, high) = (Uuid::now_v7(), Uuid::now_v7());
        let mut late = pool.begin().await.unwrap();
        append_to(&mut late, TOPIC, &[low], "").await;
        let mut leader = pool.acquire().await.unwrap();
        append_to(&mut leader, TOPIC, &[high], "").await;
        let mut scan = Scan::default();
        assert_eq!(next_ids(&mut leader, &mut scan).await, [high]);
        mark_published(&mut leader, &[high]).await.unwrap();
        late.commit().await.unwrap();
        assert_eq!(next_ids(&mut leader, &mut scan).await, [low]);
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn a_row_marked_twice_is_counted_once(pool: PgPool) {
        let mut leader = pool.acquire().await.unwrap();
        let ids = append(&mut leader, 3).await;
        assert_eq!(committed_orders(&mut leader).await, 3);
        // A leader that has lost its lock can mark rows that another one has marked.
        for marked in [&ids[..2], &ids[1..], &ids[..]] {
            mark_published(&mut leader, marked).await.unwrap();
            assert_eq!(committed_orders(&mut leader).await, 3);
        }
        assert!(next_ids(&mut leader, &mut Scan::default()).await.is_empty());
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn counts_stay_correct_when_marks_are_changed_by_hand(pool: PgPool) {
        let mut leader = pool.acquire().await.unwrap();
        let ids = append(&mut leader, 5).await;
        mark_published(&mut leader, &ids[..4]).await.unwrap();
        for by_hand in [
            "UPDATE outbox SET published_at = NULL WHERE id = (SELECT min(id::text)::uuid FROM outbox)",
            "UPDATE outbox SET published_at = NULL",
            "UPDATE outbox SET published_at = now()",
            "UPDATE outbox SET published_at = now(), payload = payload || '{\"a\": 1}'",
            "UPDATE outbox SET published_at = NULL; UPDATE outbox SET published_at = NULL",
            "BEGIN; UPDATE outbox SET published_at = now(); ROLLBACK",
            "INSERT INTO outbox (id, topic, payload, published_at)
             SELECT gen_random_uuid(), topic, payload, now() FROM outbox LIMIT 2",
            "UPDATE outbox SET topic = 'order-events'",
        ] {
            run(&mut leader, by_hand).await;
            let (counted, there) = published(&mut leader).await;
            assert_eq!(counted, there, "{by_hand}");
        }
        assert_eq!(committed_orders(&mut leader).await, 7);
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn deleted_published_rows_stay_counted(pool: PgPool) {
        let mut leader = pool.acquire().await.unwrap();
        let ids = append(&mut leader, 3).await;
        mark_published(&mut leader, &ids[..2]).await.unwrap();
        run(&mut leader, "DELETE FROM outbox WHERE published_at IS NOT NULL").await;
        assert_eq!(committed_orders(&mut leader).await, 3);
        run(&mut leader, "TRUNCATE outbox").await;
        assert_eq!(committed_orders(&mut leader).await, 2);
        append(&mut leader, 1).await;
        assert_eq!(committed_orders(&mut leader).await, 3);
        // Without this table the count starts again.
        run(&mut leader, "TRUNCATE outbox, outbox_progress").await;
        assert_eq!(committed_orders(&mut leader).await, 0);
        let ids = append(&mut leader, 2).await;
        mark_published(&mut leader, &ids[..1]).await.unwrap();
        assert_eq!(
            (committed_orders(&mut leader).await, published(&mut leader).await),
            (2, (1, 1))
        );
        run(&mut leader, "TRUNCATE outbox_progress; DELETE FROM outbox").await;
        assert_eq!(committed_orders(&mut leader).await, 0);
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn the_backlog_of_a_topic_does_not_delay_another(pool: PgPool) {
        let mut leader = pool.acquire().await.unwrap();
        let products: Vec<Uuid> = (0..=BATCH).map(|_| Uuid::now_v7()).collect();
        append_to(&mut leader, Topic::Products, &products, "").await;
        let orders = append(&mut leader, 2).await;
        let (mut of_products, mut of_orders) = (Scan::default(), Scan::default());
        let mut scans = [(Topic::Products, &mut of_products), (TOPIC, &mut of_orders)];
        let batches = next(&mut leader, &mut scans).await.unwrap();
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [BATCH, 2]);
        assert!(batches[1].iter().map(|row| row.id).eq(orders));
        assert!(of_products.has_backlog && !of_orders.has_backlog);
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn a_batch_is_read_by_the_partial_index_even_with_old_statistics(pool: PgPool) {
        let mut leader = pool.acquire().await.unwrap();
        append(&mut leader, 3_000).await;
        // Statistics as if nothing had been published, so the planner could choose the
        // primary key.
        run(&mut leader, "ANALYZE outbox").await;
        let prepare = format!(
            "SET plan_cache_mode = force_generic_plan;
             PREPARE next (text[], uuid[], bigint, bigint) AS {}",
            include_str!("next.sql")
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(prepare)).execute(&mut *leader).await.unwrap();
        let explain = "EXPLAIN EXECUTE next ('{order-events}', ARRAY[gen_random_uuid()], 9, 9)";
        let plan: Vec<String> = sqlx::query_scalar(explain).fetch_all(&mut *leader).await.unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains("using outbox_waiting") && !plan.contains("outbox_pkey"), "{plan}");
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn a_batch_is_limited_by_bytes_and_has_at_least_one_event(pool: PgPool) {
        let mut leader = pool.acquire().await.unwrap();
        // Text that does not compress.
        let text = |bytes: usize| -> String {
            (0..bytes / 32).map(|_| Uuid::new_v4().simple().to_string()).collect()
        };
        let ids: Vec<Uuid> = (0..10).map(|_| Uuid::now_v7()).collect();
        append_to(&mut leader, TOPIC, &ids[..1], &text(2 * BATCH_BYTES as usize)).await;
        append_to(&mut leader, TOPIC, &ids[1..], &text(BATCH_BYTES as usize / 3)).await;
        let (mut scan, mut left) = (Scan::default(), &ids[..]);
        for count in [1, 3, 3, 3] {
            assert_eq!(next_ids(&mut leader, &mut scan).await, left[..count]);
            mark_published(&mut leader, &left[..count]).await.unwrap();
            left = &left[count..];
        }
        assert!(next_ids(&mut leader, &mut scan).await.is_empty());
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn an_event_without_valid_type_is_refused(pool: PgPool) {
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
