//! With a retention time for deduplication records, an older event becomes a dead letter, so
//! that no event is applied twice.

use crate::harness::{Shop, execute, external_order};

/// Publishes external orders with these numbers, all from before the retention time.
async fn publish(shop: &Shop, numbers: &[usize]) {
    let old = |number: &usize| external_order(*number).replace("2026-", "2025-").into_bytes();
    let bodies: Vec<Vec<u8>> = numbers.iter().map(old).collect();
    shop.broker.publish("order-events", &bodies).await;
}

const ORDERS: &str = "SELECT coalesce(sum(order_count), 0)::bigint FROM customer_ltv_view";
const RECORDS: &str = "SELECT count(*) FROM processed_events";
const LETTERS: &str = "SELECT count(*) FROM dead_letters
                       WHERE reason LIKE 'older than dedupe memory%'";

#[tokio::test]
async fn an_event_without_deduplication_record_is_never_applied_twice() {
    let mut shop = Shop::start().await;
    publish(&shop, &[1, 2]).await;
    shop.databases.wait_for_read(ORDERS, 2).await;
    shop.caught_up().await;
    let age = "UPDATE processed_events SET processed_at = now() - interval '3 hours'";
    execute(&shop.databases.read, age).await;
    shop.consumer.restart_with(&[("DEDUPE_MEMORY_HOURS", "1")]);
    shop.databases.wait_for_read(RECORDS, 0).await;

    // Two events have been applied. The third is new, but as old as they are.
    publish(&shop, &[1, 2, 3]).await;
    shop.databases.wait_for_read(LETTERS, 3).await;
    // New events are applied.
    let product = shop.product("Tea", "5", 10).await;
    shop.place_order(1, product, 1).await;
    shop.databases.wait_for_read(ORDERS, 3).await;

    let third = shop.databases.query_read("SELECT max(id) FROM dead_letters").await;
    let run = async |command: &str| shop.consumer.admin(&format!("dead-letters {command}")).await;
    let refused = run(&format!("redrive {third}")).await;
    let is_explained = refused.stdout.contains("redrive it with --anyway");
    assert!(refused.code == Some(1) && is_explained, "{refused:?}");
    shop.databases.wait_for_read(ORDERS, 3).await;
    let applied = run(&format!("redrive {third} --anyway")).await;
    assert!(applied.code == Some(0) && applied.stdout.contains("applied"), "{applied:?}");
    shop.databases.wait_for_read(ORDERS, 4).await;
    assert_eq!(run("discard --all").await.code, Some(0));
    // The redriven event has a record now, so its duplicates are dropped.
    publish(&shop, &[3, 3]).await;
    publish(&shop, &[4]).await;
    shop.databases.wait_for_read(LETTERS, 1).await;
    shop.databases.wait_for_read(ORDERS, 4).await;
    shop.stop().await;
}
