//! Poison messages.

use super::environment::Environment;
use super::load::RECOVERY_DEADLINE;
use crate::harness::database::DEAD_LETTERS;
use crate::harness::poison::{every_kind, publish};
use shared_events::Topic;

/// Poison messages of every kind arrive in all queues in random order, while clients place
/// orders and the consumer service is killed.
pub async fn published(environment: &mut Environment) {
    let topics = Topic::ALL.map(Topic::name);
    let mut poison: Vec<_> = topics.into_iter().flat_map(every_kind).collect();
    environment.random.shuffle(&mut poison);
    let killed_at = environment.random.usize(..poison.len());
    for (number, poison) in poison.iter().enumerate() {
        // The broker refuses some kinds.
        if publish(&environment.shop.broker, &poison.message).await.is_ok() {
            environment.ledger.entries().dead_letters += 1;
        }
        if number == killed_at {
            environment.shop.consumer.kill();
            environment.shop.consumer.restart();
        }
    }
    let expected = environment.ledger.entries().dead_letters as i64;
    let databases = &environment.shop.databases;
    databases.wait_for_read_within(RECOVERY_DEADLINE, DEAD_LETTERS, expected).await;
}
