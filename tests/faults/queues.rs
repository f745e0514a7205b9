//! Queues that are deleted, or refuse messages.

use super::environment::Stage;
use super::load::PATIENCE;
use crate::harness::{Response, client, within};
use lapin::options::QueueDeleteOptions;
use serde_json::json;

/// A queue is deleted while it is empty, and made anew under load.
pub async fn deleted(stage: &mut Stage) {
    let queue = any(stage);
    stage.load.pause().await;
    stage.shop.caught_up_within(PATIENCE).await;
    delete(stage, queue).await;
    stage.load.resume();
}

/// A queue is deleted with events in it, which are lost to the consumer, and history
/// is published again.
pub async fn lost(stage: &mut Stage) {
    let queue = any(stage);
    stage.shop.consumer.kill();
    stage.load.answered(60).await;
    delete(stage, queue).await;
    stage.shop.consumer.restart();
    stage.shop.consumer.healthy().await;
    // What was sent while there was no queue is kept back and sent by itself; the
    // rest must be asked for when there is a queue again.
    within(PATIENCE, async || {
        let queue = stage.shop.broker.queue(queue).await;
        if queue.status == 200 { Ok(()) } else { Err(queue.text) }
    })
    .await;
    replay(stage, queue).await;
}

/// A queue refuses messages, because a policy limits it and nothing consumes: its events
/// wait in the outbox, and the others are published.
pub async fn refusing(stage: &mut Stage) {
    let queue = any(stage);
    stage.shop.consumer.kill();
    stage.shop.broker.limit(queue).await;
    within(PATIENCE, async || {
        let health = stage.shop.command.health().await;
        let detail = health.body["publisher"]["detail"].as_str().unwrap_or_default();
        if detail.starts_with(queue) { Ok(()) } else { Err(health.text) }
    })
    .await;
    stage.load.answered(60).await;
    stage.shop.broker.unlimit().await;
    stage.shop.consumer.restart();
    stage.shop.consumer.healthy().await;
}

fn any(stage: &mut Stage) -> &'static str {
    let queues = ["product-events", "order-events", "user-events"];
    queues[stage.random.usize(..queues.len())]
}

async fn delete(stage: &Stage, queue: &str) {
    let (connection, channel) = stage.shop.broker.channel().await;
    channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    connection.close(200, "bye".into()).await.unwrap();
}

/// Has the command service publish a topic again, from the beginning.
async fn replay(stage: &Stage, topic: &str) {
    let operations = stage.shop.command.address("operations").await;
    let url = format!("http://{operations}/admin/replay");
    let begun = Response::to(client().post(&url).query(&[("topic", topic)])).await.unwrap();
    assert_eq!(begun.status, 202, "{}", begun.text);
    within(PATIENCE, async || {
        let progress = Response::to(client().get(&url)).await.unwrap();
        if progress.body["state"] == json!("done") { Ok(()) } else { Err(progress.text) }
    })
    .await;
}
