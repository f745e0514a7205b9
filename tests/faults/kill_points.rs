//! SIGKILL at the points that matter, brought about from outside.

use super::environment::Stage;
use super::load::PATIENCE;
use crate::harness::{Direction, within};
use sqlx::PgPool;
use std::collections::HashSet;
use uuid::Uuid;

const UNPUBLISHED: &str = "SELECT count(*) FROM outbox WHERE published_at IS NULL";

/// Events that were committed and not sent are sent by the next process.
pub async fn after_commit(stage: &mut Stage) {
    let link = &stage.links.command_broker;
    link.hold(Direction::ToServer).await;
    stage.written_above(20, UNPUBLISHED).await;
    stage.shop.command.kill();
    // With the connection goes what was held: the broker has none of it.
    link.cut().await;
    link.open().await;
    stage.shop.command.restart();
    stage.shop.command.healthy().await;
}

/// Events that the broker has and that are not marked are sent twice and applied
/// once.
pub async fn after_confirm(stage: &mut Stage) {
    let mut operator = stage.shop.databases.write.begin().await.unwrap();
    sqlx::query("SELECT FROM outbox_progress FOR UPDATE").execute(&mut *operator).await.unwrap();
    applied_and_not_marked(stage).await;
    stage.shop.command.kill();
    // The server does not notice the death of a client that waits for a lock, and
    // would mark for it as soon as it has the lock.
    let publishers = "SELECT pg_terminate_backend(pid, 10000)
                      FROM pg_stat_activity
                      WHERE datname = current_database()
                          AND application_name = 'command-service publisher'";
    sqlx::query(publishers).execute(&stage.shop.databases.write).await.unwrap();
    operator.rollback().await.unwrap();
    // Nobody has marked them meanwhile: they will be sent again.
    applied_and_not_marked(stage).await;
    stage.shop.command.restart();
    stage.shop.command.healthy().await;
}

/// Waits until the views have an event that the publisher has not marked.
async fn applied_and_not_marked(stage: &Stage) {
    let databases = &stage.shop.databases;
    let unmarked = "SELECT id FROM outbox WHERE published_at IS NULL";
    let applied = "SELECT event_id FROM processed_events";
    within(PATIENCE, async || {
        let unmarked = ids(&databases.write, unmarked).await;
        let applied = ids(&databases.read, applied).await;
        if unmarked.is_disjoint(&applied) { Err(unmarked.len()) } else { Ok(()) }
    })
    .await;
}

async fn ids(pool: &PgPool, sql: &'static str) -> HashSet<Uuid> {
    let ids: Vec<Uuid> = sqlx::query_scalar(sql).fetch_all(pool).await.unwrap();
    ids.into_iter().collect()
}

/// Events that were applied and not acknowledged come again and are dropped.
pub async fn after_apply(stage: &mut Stage) {
    let link = &stage.links.consumer_broker;
    link.hold(Direction::ToServer).await;
    let applied = "SELECT count(*) FROM processed_events";
    let before = stage.shop.databases.query_read(applied).await;
    within(PATIENCE, async || {
        let now = stage.shop.databases.query_read(applied).await;
        if now > before + 20 { Ok(()) } else { Err(format!("{now} applied, {before} before")) }
    })
    .await;
    stage.shop.consumer.kill();
    // With the connection go the acknowledgements that were held.
    link.cut().await;
    link.open().await;
    stage.shop.consumer.restart();
    stage.shop.consumer.healthy().await;
}
