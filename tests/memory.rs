//! The memory of the consumer service is bounded, independently of the size of the backlog
//! and of its messages.

use crate::harness::Shop;
use crate::harness::database::DEAD_LETTERS;
use uuid::Uuid;

/// Upper bound of the resident memory, in bytes.
const BOUND: u64 = 200 << 20;

/// An external order with this many lines.
fn order(number: usize, lines: usize) -> Vec<u8> {
    let line = r#"{"productId":77,"productName":"Organic Yerba Mate","category":"Beverages","quantity":2,"price":1.25}"#;
    let (id, items, total) = (Uuid::now_v7(), vec![line; lines].join(","), 2.5 * lines as f64);
    format!(
        r#"{{"eventId":"{id}","eventType":"OrderCreated","version":1,"aggregateVersion":1,
            "timestamp":"2026-01-01T10:30:00Z","orderId":{number},"customerId":{},
            "status":"CREATED","items":[{items}],"total":{total}}}"#,
        number % 500 + 1
    )
    .into_bytes()
}

/// The peak memory of the consumer service while it processes a backlog of orders and
/// invalid messages.
async fn peak(orders: &[Vec<u8>], others: &[Vec<u8>]) -> u64 {
    let mut shop = Shop::start().await;
    shop.consumer.kill();
    for bodies in [others, orders] {
        shop.broker.publish("order-events", bodies).await;
    }
    shop.consumer.restart();
    let applied = "SELECT count(*) FROM orders_read";
    shop.databases.wait_for_read(applied, orders.len() as i64).await;
    shop.databases.wait_for_read(DEAD_LETTERS, others.len() as i64).await;
    let peak = shop.consumer.peak_memory();
    println!("{} orders, {} others: {} MB", orders.len(), others.len(), peak >> 20);
    shop.stop().await;
    peak
}

#[tokio::test]
async fn a_backlog_of_large_orders_needs_bounded_memory() {
    let orders: Vec<_> = (1..=1_000).map(|number| order(number, 200)).collect();
    assert!(peak(&orders, &[]).await < BOUND);
}

#[tokio::test]
async fn messages_of_maximum_size_need_bounded_memory() {
    let other = |number: u8| vec![number; 16 << 20];
    let others: Vec<_> = (1..=10).map(other).collect();
    assert!(peak(&[order(1, 2)], &others).await < BOUND);
}
