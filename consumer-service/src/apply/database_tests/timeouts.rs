//! Batches that time out or are cancelled.

use super::{dead_letters, ours, tea};
use crate::apply::{LOCK, apply, apply_rest};
use crate::decoded_message::DecodedMessage;
use crate::test_database::{execute, value};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

/// Delays each insert of an order by the duration that an expression gives.
async fn delay_orders(pool: &PgPool, seconds: &str) {
    let sql = format!(
        "CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN PERFORM pg_sleep({seconds}); RETURN NEW; END $$;
         CREATE OR REPLACE TRIGGER slow BEFORE INSERT ON orders_read
         FOR EACH ROW EXECUTE FUNCTION slow()"
    );
    execute(pool, &sql).await;
}

async fn orders(pool: &PgPool) -> i64 {
    value(pool, "SELECT count(*) FROM orders_read").await
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn a_batch_that_takes_too_long_is_applied_in_parts(pool: PgPool) {
    let options = (*pool.connect_options()).clone().options([("statement_timeout", "500ms")]);
    let short_timeout = PgPoolOptions::new().connect_with(options).await.unwrap();
    delay_orders(&pool, "0.2").await;
    let deliveries: Vec<DecodedMessage> = (1..=8).map(|id| ours(tea(id))).collect();
    let mut batch = vec![&deliveries[..]];
    while let Err(error) = apply_rest(&short_timeout, &mut batch).await {
        assert!(error.to_string().contains("statement timeout"), "{error}");
    }
    assert_eq!(orders(&pool).await, 8);

    // An event that takes too long alone is retried, and the others are applied.
    delay_orders(&pool, "CASE NEW.order_id WHEN 11 THEN 9 ELSE 0 END").await;
    let deliveries: Vec<DecodedMessage> = (11..=18).map(|id| ours(tea(id))).collect();
    let mut batch = vec![&deliveries[..]];
    while orders(&pool).await < 15 {
        apply_rest(&short_timeout, &mut batch).await.unwrap_err();
    }
    assert_eq!(dead_letters(&pool).await, 0);
    execute(&pool, "DROP TRIGGER slow ON orders_read").await;
    apply_rest(&short_timeout, &mut batch).await.unwrap();
    assert_eq!((orders(&pool).await, dead_letters(&pool).await), (16, 0));
}

#[sqlx::test(migrator = "crate::MIGRATIONS")]
async fn a_batch_that_is_cancelled_at_its_begin_leaves_no_open_transaction(pool: PgPool) {
    let options = (*pool.connect_options()).clone();
    let single = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let mut operator = pool.begin().await.unwrap();
    let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK);
    lock.execute(&mut *operator).await.unwrap();
    let deliveries = [ours(tea(1))];
    let waits = "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
                 WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted";
    let begun = async { while value::<i64>(&pool, waits).await == 0 {} };
    tokio::select! {
        applied = apply(&single, &deliveries) => panic!("{applied:?} in spite of the lock"),
        () = begun => {}
    }
    operator.rollback().await.unwrap();
    let insert =
        "INSERT INTO processed_events (event_id, counted) VALUES (gen_random_uuid(), FALSE)";
    execute(&single, insert).await;
    assert_eq!(value::<i64>(&pool, "SELECT count(*) FROM processed_events").await, 1);
}
