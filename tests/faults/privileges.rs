//! Rights that are taken away by mistake, and given back.

use super::environment::Stage;
use super::load::PATIENCE;
use crate::harness::within;

/// The command service loses the right to write the outbox, then the consumer service the
/// right to change a view.
pub async fn revoked(stage: &mut Stage) {
    let write = stage.shop.databases.write.clone();
    let retries = || stage.load.ledger.books().retries;
    let before = retries();
    let revoke = "REVOKE INSERT ON outbox FROM command_service";
    sqlx::raw_sql(revoke).execute(&write).await.unwrap();
    within(PATIENCE, async || if retries() > before { Ok(()) } else { Err("no refusal") }).await;
    stage.for_a_while(1_000..6_000).await;
    let grant = "GRANT INSERT ON outbox TO command_service";
    sqlx::raw_sql(grant).execute(&write).await.unwrap();
    stage.load.answered(20).await;

    let read = stage.shop.databases.read.clone();
    let revoke = "REVOKE UPDATE ON orders_read FROM consumer_service";
    sqlx::raw_sql(revoke).execute(&read).await.unwrap();
    within(PATIENCE, async || {
        let health = stage.shop.consumer.health().await;
        let is_down = health.body["order-events"]["status"] == "down";
        if is_down { Ok(()) } else { Err(health.text) }
    })
    .await;
    stage.for_a_while(1_000..6_000).await;
    let grant = "GRANT UPDATE ON orders_read TO consumer_service";
    sqlx::raw_sql(grant).execute(&read).await.unwrap();
}
