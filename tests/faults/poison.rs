//! Messages that an AMQP library may be unable to read.

use super::environment::Stage;
use super::load::PATIENCE;
use crate::harness::poison::{every_kind, publish};
use crate::harness::within;

/// Poison messages of every kind arrive in any order in the queues of all topics, while
/// clients place orders and the consumer service is killed.
pub async fn published(stage: &mut Stage) {
    let topics = ["product-events", "order-events", "user-events"];
    let mut poison: Vec<_> = topics.into_iter().flat_map(every_kind).collect();
    stage.random.shuffle(&mut poison);
    let killed_at = stage.random.usize(..poison.len());
    for (number, poison) in poison.iter().enumerate() {
        // The broker refuses some.
        if publish(&stage.shop.broker, &poison.message).await.is_ok() {
            stage.ledger.books().parked += 1;
        }
        if number == killed_at {
            stage.shop.consumer.kill();
            stage.shop.consumer.restart();
        }
    }
    within(PATIENCE, async || {
        let expected = stage.ledger.books().parked as i64;
        let parked = stage.shop.databases.query_read("SELECT count(*) FROM dead_letters").await;
        if parked == expected { Ok(()) } else { Err(format!("{parked} parked, not {expected}")) }
    })
    .await;
}
