//! Queues that are deleted underneath.

use super::load::PATIENCE;
use super::stage::Stage;
use lapin::options::QueueDeleteOptions;

/// A queue is deleted while it is empty, and made anew under load. (What is in a
/// queue that is deleted is lost, and must be published again by hand.)
pub async fn deleted(stage: &mut Stage) {
    let queues = ["product-events", "order-events", "user-events"];
    let queue = queues[stage.random.usize(..queues.len())];
    stage.load.pause().await;
    stage.shop.caught_up_within(PATIENCE).await;
    let (connection, channel) = stage.shop.broker.channel().await;
    channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();
    connection.close(200, "bye".into()).await.unwrap();
    stage.load.resume();
}
