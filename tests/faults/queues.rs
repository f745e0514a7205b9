//! Queues that are deleted or refuse messages.

use super::environment::Environment;
use super::load::RECOVERY_DEADLINE;
use crate::harness::{Response, client, within};
use serde_json::json;
use shared_events::Topic;

/// An empty queue is deleted and declared again under load.
pub async fn deleted(environment: &mut Environment) {
    let queue = any(environment);
    environment.load.pause().await;
    environment.shop.caught_up_within(RECOVERY_DEADLINE).await;
    environment.shop.broker.delete_queue(queue).await;
    environment.load.resume();
}

/// A queue is deleted with events in it. A replay publishes them again.
pub async fn lost(environment: &mut Environment) {
    let queue = any(environment);
    environment.shop.consumer.kill();
    environment.load.wait_for_orders(60).await;
    environment.shop.broker.delete_queue(queue).await;
    environment.shop.consumer.restart();
    environment.shop.consumer.healthy().await;
    // The publisher repeats events that were sent while there was no queue. The replay
    // restores the others, as soon as the queue exists again.
    within(RECOVERY_DEADLINE, async || {
        let queue = environment.shop.broker.queue(queue).await;
        if queue.status == 200 { Ok(()) } else { Err(queue.text) }
    })
    .await;
    replay(environment, queue).await;
}

/// A policy makes a queue refuse messages while nothing consumes it. Its events stay in the
/// outbox, and those of other topics are published.
pub async fn refusing(environment: &mut Environment) {
    let queue = any(environment);
    environment.shop.consumer.kill();
    environment.shop.broker.limit_queue(queue).await;
    within(RECOVERY_DEADLINE, async || {
        let health = environment.shop.command.health().await;
        let detail = health.body["publisher"]["detail"].as_str().unwrap_or_default();
        if detail.starts_with(queue) { Ok(()) } else { Err(health.text) }
    })
    .await;
    environment.load.wait_for_orders(60).await;
    environment.shop.broker.remove_limit().await;
    environment.shop.consumer.restart();
    environment.shop.consumer.healthy().await;
}

fn any(environment: &mut Environment) -> &'static str {
    Topic::ALL[environment.random.usize(..Topic::ALL.len())].name()
}

/// Replays all events of a topic.
async fn replay(environment: &Environment, topic: &str) {
    let url = environment.shop.command.url("operations", "/admin/replay").await;
    let started = Response::to(client().post(&url).query(&[("topic", topic)])).await.unwrap();
    started.assert_status(202);
    within(RECOVERY_DEADLINE, async || {
        let progress = Response::to(client().get(&url)).await.unwrap();
        if progress.body["state"] == json!("done") { Ok(()) } else { Err(progress.text) }
    })
    .await;
}
