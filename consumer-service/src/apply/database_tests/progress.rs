//! Counted events, watermarks and dead letters: what the lag is computed from.

use super::{
    dead_letters, external_copy, message, orders_of_product_1, ours, seen, tea, unreadable,
};
use crate::apply::apply;
use crate::decoded_message::{Content, DecodedMessage};
use crate::test_database::{execute, row, value};
use shared_events::{Topic, Watermark};
use sqlx::PgPool;

fn watermark(committed: i64, second: i64) -> DecodedMessage {
    let taken_at = chrono::DateTime::from_timestamp(1_750_000_000 + second, 0).unwrap();
    let watermark = Watermark { topic: Topic::Orders, taken_at, committed };
    message(Topic::Orders, true, Vec::new(), Content::Watermark(watermark))
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn a_dead_letter_is_deleted_when_its_event_arrives_again_and_is_applied(pool: PgPool) {
    let event = tea(1);
    let body = event.to_json().unwrap();
    apply(&pool, &[unreadable(body.as_bytes(), true)]).await.unwrap();
    assert_eq!((dead_letters(&pool).await, seen(&pool).await), (1, 1));
    apply(&pool, &[ours(event)]).await.unwrap();
    assert_eq!((dead_letters(&pool).await, seen(&pool).await), (0, 1));
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn an_event_is_counted_once_for_any_copies_in_any_order(pool: PgPool) {
    let event = tea(1);
    let body = event.to_json().unwrap();
    let bad = |ours| unreadable(body.as_bytes(), ours);
    // A dead letter; corrected by an external publisher; then our own again, in both forms.
    for message in [
        bad(false),
        bad(true),
        external_copy(event.clone()),
        bad(true),
        ours(event.clone()),
        bad(true),
    ] {
        apply(&pool, &[message]).await.unwrap();
    }
    assert_eq!((dead_letters(&pool).await, seen(&pool).await), (0, 1));
    // The external copy is applied; our own is unreadable.
    let event = tea(2);
    apply(&pool, &[external_copy(event.clone())]).await.unwrap();
    let body = event.to_json().unwrap();
    apply(&pool, &[unreadable(body.as_bytes(), true)]).await.unwrap();
    assert_eq!((dead_letters(&pool).await, seen(&pool).await), (0, 2));
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn an_external_copy_is_applied_but_only_our_own_is_counted(pool: PgPool) {
    apply(&pool, &[external_copy(tea(1))]).await.unwrap();
    assert_eq!(seen(&pool).await, 0);
    apply(&pool, &[ours(tea(2))]).await.unwrap();
    assert_eq!(seen(&pool).await, 1);

    let event = tea(3);
    apply(&pool, &[external_copy(event.clone())]).await.unwrap();
    apply(&pool, &[ours(event.clone()), external_copy(event.clone())]).await.unwrap();
    apply(&pool, &[ours(event)]).await.unwrap();
    assert_eq!(seen(&pool).await, 2);
    assert_eq!(orders_of_product_1(&pool).await, 3);
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn reached_watermarks_are_deleted_except_the_newest(pool: PgPool) {
    let left = async || -> Vec<i64> {
        let committed = "SELECT coalesce(array_agg(committed ORDER BY taken_at), '{}')
                         FROM watermarks WHERE topic = 'order-events'";
        value(&pool, committed).await
    };
    // The initial watermarks of the schema are the oldest.
    execute(&pool, "UPDATE watermarks SET taken_at = '2025-01-01'").await;
    // The second event is missing, although its watermark has arrived.
    apply(&pool, &[ours(tea(1)), watermark(1, 1), watermark(2, 2)]).await.unwrap();
    apply(&pool, &[watermark(2, 3)]).await.unwrap();
    assert_eq!(left().await, [2, 2]);
    apply(&pool, &[ours(tea(2)), watermark(2, 4)]).await.unwrap();
    apply(&pool, &[watermark(2, 5)]).await.unwrap();
    assert_eq!(left().await, [2, 2]);
    apply(&pool, &[watermark(2, 6)]).await.unwrap();
    assert_eq!(left().await.len(), 2);
    // Counted events have been deleted from the outbox.
    apply(&pool, &[watermark(9, 7)]).await.unwrap();
    apply(&pool, &[watermark(3, 8)]).await.unwrap();
    apply(&pool, &[watermark(3, 9)]).await.unwrap();
    assert_eq!(left().await, [3, 3]);
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn progress_is_recorded_in_empty_tables(pool: PgPool) {
    execute(&pool, "TRUNCATE sync_status, topic_progress, watermarks").await;
    for id in 1..=2 {
        apply(&pool, &[ours(tea(id)), watermark(id, id)]).await.unwrap();
    }
    let applied: i64 = value(&pool, "SELECT events_applied FROM sync_status").await;
    assert_eq!((applied, seen(&pool).await), (2, 2));
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn a_future_watermark_is_stored_with_the_current_time(pool: PgPool) {
    let century = 100 * 365 * 24 * 3600;
    apply(&pool, &[watermark(1, century), watermark(3, 2 * century)]).await.unwrap();
    let newest = "SELECT max(taken_at) <= now(), max(committed)
                  FROM watermarks WHERE topic = 'order-events'";
    let stored: (bool, i64) = row(&pool, newest).await;
    assert_eq!(stored, (true, 3));
}
