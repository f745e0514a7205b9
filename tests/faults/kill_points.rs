//! SIGKILL between two steps that are not atomic.

use super::environment::Environment;
use super::load::RECOVERY_DEADLINE;
use crate::harness::database::UNPUBLISHED;
use crate::harness::{Direction, lock_rows, within};
use sqlx::PgPool;
use std::collections::HashSet;
use uuid::Uuid;

/// Events that were committed and not sent: the next process sends them.
pub async fn after_commit(environment: &mut Environment) {
    let link = &environment.links.command_broker;
    link.hold(Direction::ToServer).await;
    environment.wait_for_more_than(20, UNPUBLISHED).await;
    environment.shop.command.kill();
    // The broker has received nothing that was held back.
    link.cut().await;
    link.open().await;
    environment.shop.command.restart();
    environment.shop.command.healthy().await;
}

/// Events that were confirmed and not marked: they are sent twice and applied once.
pub async fn after_confirm(environment: &mut Environment) {
    let write = environment.shop.databases.write.clone();
    let lock = lock_rows(&write, "SELECT FROM outbox_progress FOR UPDATE").await;
    wait_for_unmarked(environment).await;
    environment.shop.command.kill();
    // The server does not notice the end of a client that waits for a lock. It would mark
    // the events as soon as the lock is free.
    let publishers = "SELECT pg_terminate_backend(pid, 10000)
                      FROM pg_stat_activity
                      WHERE datname = current_database()
                          AND application_name = 'command-service publisher'";
    sqlx::query(publishers).execute(&write).await.unwrap();
    lock.rollback().await.unwrap();
    // They are still unmarked, so they are sent again.
    wait_for_unmarked(environment).await;
    environment.shop.command.restart();
    environment.shop.command.healthy().await;
}

/// Waits until an event is applied that the publisher has not marked.
async fn wait_for_unmarked(environment: &Environment) {
    let databases = &environment.shop.databases;
    let unmarked = "SELECT id FROM outbox WHERE published_at IS NULL";
    let applied = "SELECT event_id FROM processed_events";
    within(RECOVERY_DEADLINE, async || {
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

/// Events that were applied and not acknowledged: they are delivered again and dropped.
pub async fn after_apply(environment: &mut Environment) {
    let link = &environment.links.consumer_broker;
    link.hold(Direction::ToServer).await;
    let applied = "SELECT count(*) FROM processed_events";
    let before = environment.shop.databases.query_read(applied).await;
    within(RECOVERY_DEADLINE, async || {
        let now = environment.shop.databases.query_read(applied).await;
        if now > before + 20 { Ok(()) } else { Err(format!("{now} applied, {before} before")) }
    })
    .await;
    environment.shop.consumer.kill();
    // The broker has received no acknowledgement that was held back.
    link.cut().await;
    link.open().await;
    environment.shop.consumer.restart();
    environment.shop.consumer.healthy().await;
}
