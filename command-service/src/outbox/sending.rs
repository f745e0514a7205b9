//! Sending events to the broker, and knowing what it has.

use super::message;
use super::queue::Pending;
use crate::metrics::{CONFIRMS, PUBLISH_BATCH_SIZE, PUBLISH_DURATION};
use futures::future::try_join_all;
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};
use service_runtime::amqp::Topology;
use shared_events::Topic;
use shared_events::topology::{EXCHANGE, routing_key};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use uuid::Uuid;

/// A broker that has not confirmed by then is taken for lost, as is one that has not
/// taken the next few messages.
pub const CONFIRM_DEADLINE: Duration = Duration::from_secs(10);

/// Messages that are handed to the connection together: it writes many with one
/// system call, and the broker reads them with one.
const TOGETHER: usize = 100;

/// Why the broker could not be told.
#[derive(Debug, thiserror::Error)]
pub enum Unsent {
    #[error("{0}")]
    Broker(#[from] lapin::Error),
    #[error("no confirm within {CONFIRM_DEADLINE:?}")]
    NoConfirm(#[from] tokio::time::error::Elapsed),
}

/// The exchange and all queues.
pub fn topology() -> Topology {
    let queues = Topic::ALL.map(|topic| (topic.name(), topic.binding_key()));
    Topology { exchange: EXCHANGE, queues: queues.to_vec() }
}

/// Sends a batch without waiting in between, then waits for all confirms. Returns
/// the ids of those that the broker has taken and routed.
pub async fn publish(channel: &Channel, pending: &[Pending]) -> Result<Vec<Uuid>, Unsent> {
    let began = Instant::now();
    let mut confirms = Vec::with_capacity(pending.len());
    for together in pending.chunks(TOGETHER) {
        // Each of these ends when its message has been written to the socket.
        let sending = together.iter().map(|event| async {
            let key = routing_key(&event.topic, &event.event_type);
            let properties = message::event_properties(event);
            send(channel, &key, event.payload.as_bytes(), properties).await
        });
        // The deadline is for a few, so that a slow broker still gets on.
        confirms.extend(timeout(CONFIRM_DEADLINE, try_join_all(sending)).await??);
    }
    let mut confirmed = Vec::with_capacity(pending.len());
    let mut returned = 0;
    for (event, confirm) in pending.iter().zip(confirms) {
        // Here for each, as before.
        match timeout(CONFIRM_DEADLINE, confirm).await?? {
            Confirmation::Ack(None) => confirmed.push(event.id),
            // A message that came back: it had no queue.
            Confirmation::Ack(Some(_)) => returned += 1,
            Confirmation::Nack(_) | Confirmation::NotRequested => {}
        }
    }
    PUBLISH_BATCH_SIZE.record(pending.len() as f64);
    PUBLISH_DURATION.record(began.elapsed().as_secs_f64());
    CONFIRMS.add_to("confirmed", confirmed.len());
    CONFIRMS.add_to("returned", returned);
    CONFIRMS.add_to("refused", pending.len() - confirmed.len() - returned);
    Ok(confirmed)
}

/// Sends one message.
pub async fn send(
    channel: &Channel,
    key: &str,
    body: &[u8],
    properties: BasicProperties,
) -> lapin::Result<PublisherConfirm> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    channel.basic_publish(EXCHANGE.into(), key.into(), options, body, properties).await
}
