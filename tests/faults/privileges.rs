//! Privileges that are revoked and granted again.

use super::environment::Environment;
use super::load::RECOVERY_DEADLINE;
use crate::harness::{execute, within};

/// The command service loses the privilege to write the outbox, then the consumer service the
/// privilege to change a view.
pub async fn revoked(environment: &mut Environment) {
    let write = environment.shop.databases.write.clone();
    let retries = || environment.load.ledger.entries().retries;
    let before = retries();
    let revoke = "REVOKE INSERT ON outbox FROM command_service";
    execute(&write, revoke).await;
    within(RECOVERY_DEADLINE, async || if retries() > before { Ok(()) } else { Err("no refusal") })
        .await;
    environment.random_delay(1_000..6_000).await;
    let grant = "GRANT INSERT ON outbox TO command_service";
    execute(&write, grant).await;
    environment.load.wait_for_orders(20).await;

    let read = environment.shop.databases.read.clone();
    let revoke = "REVOKE UPDATE ON orders_read FROM consumer_service";
    execute(&read, revoke).await;
    environment
        .shop
        .consumer
        .wait_for_health(|health| health.body["order-events"]["status"] == "down")
        .await;
    environment.random_delay(1_000..6_000).await;
    let grant = "GRANT UPDATE ON orders_read TO consumer_service";
    execute(&read, grant).await;
}
