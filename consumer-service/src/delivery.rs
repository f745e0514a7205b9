//! Consumes the queues. This is the only place that acknowledges deliveries.
//!
//! Each topic has a connection and a loop of its own, so that no topic blocks another. All
//! deliveries that are ready, up to limits, are applied in one transaction and
//! acknowledged with one multiple acknowledgement. The next ones are decoded meanwhile. A
//! delivery is acknowledged only after the commit: without the database, deliveries are
//! held until it is back; after an outage of the broker, they are delivered again and
//! recognised by their ids.
//!
//! Memory is bounded in bytes: deliveries of a connection by its [`Limits`], decoded
//! bodies by [`MAX_DECODED`]. If the broker sends more than a connection may hold, the
//! topic is consumed again with a lower prefetch count.

use crate::apply::apply_rest;
use crate::batch_spans::BatchSpans;
use crate::commit_notifier::CommitNotifier;
use crate::decoded_message::{DecodedMessage, RawMessage};
use crate::metrics::{APPLY_BATCH_SIZE, APPLY_DURATION, APPLY_RETRIES, DELIVERIES};
use crate::prefetch::Prefetch;
use crate::projections::topics;
use anyhow::{Context, bail};
use futures::StreamExt;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer as Deliveries};
use service_runtime::amqp::{self, Inbox, Limits, Session, Sessions, Topology};
use service_runtime::broker::BrokerUrl;
use service_runtime::clock::database_now;
use service_runtime::health::{DependencyStatus, Health};
use service_runtime::retry::Backoff;
use service_runtime::trace;
use shared_events::Topic;
use shared_events::limits::MAX_EVENT_BYTES;
use shared_events::topology::EXCHANGE;
use sqlx::PgPool;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info};

/// A topic without messages for this time is subscribed again. Watermarks arrive every second,
/// so either no publisher is running, or the broker has lost the subscription: if a quorum
/// queue is deleted and immediately declared again, RabbitMQ 3.10 mistakes its deliveries for
/// repetitions and holds them back.
const SILENCE: Duration = Duration::from_secs(10);

/// Limits of the deliveries that a topic's connection holds. A prefetch count of 4,000 events of
/// usual size fits. Of an oversized body, an excerpt is stored in a dead letter.
const LIMITS: Limits = Limits { body: MAX_EVENT_BYTES as u64, excerpt: 64 << 10, held: 20 << 20 };

/// Limit of the bodies of a topic that are decoded and not yet applied, in bytes. Decoded
/// events take several times as much memory.
const MAX_DECODED: usize = 4 << 20;

/// A batch ends with the message that brings its bodies to this size, in bytes, so that the next
/// batch is decoded while this one is applied.
const MAX_BATCH: usize = MAX_DECODED / 2;

/// A decoded delivery that is not yet acknowledged.
struct PendingDelivery {
    tag: u64,
    message: DecodedMessage,
    /// Its share of [`MAX_DECODED`].
    bytes: OwnedSemaphorePermit,
}

/// Why a topic is subscribed again without a failure.
#[derive(Debug, thiserror::Error)]
enum Resubscribe {
    #[error("no message from {0} within {SILENCE:?}, not even a watermark; resubscribing")]
    Silence(Topic),
    #[error("resubscribing to {0} with a prefetch count of {1}, by the size of its messages")]
    Prefetch(Topic, u16),
}

/// The consumer of a topic.
#[derive(Debug)]
pub struct Consumer {
    topic: Topic,
    broker: BrokerUrl,
    pool: PgPool,
    notifier: CommitNotifier,
    batch: u16,
    /// Health of applying its events.
    health: DependencyStatus,
    /// Health of its connection.
    broker_health: DependencyStatus,
    shutdown: CancellationToken,
}

/// A consumer for every topic that a projection uses. It applies batches of up to `batch`
/// messages, and reports each commit to `notifier`.
pub fn consumers(
    broker: &BrokerUrl,
    pool: &PgPool,
    notifier: &CommitNotifier,
    batch: u16,
    health: &Health,
    shutdown: &CancellationToken,
) -> Vec<Consumer> {
    let broker_health = health.critical("broker");
    let consumer = |topic: Topic| Consumer {
        topic,
        broker: broker.clone(),
        pool: pool.clone(),
        notifier: notifier.clone(),
        batch,
        health: health.critical(topic.name()),
        broker_health: broker_health.for_task(topic.name()),
        shutdown: shutdown.clone(),
    };
    topics().into_iter().map(consumer).collect()
}

impl Consumer {
    /// Consumes until shutdown and reconnects when needed.
    pub async fn run(&self) {
        self.health.up();
        let mut sessions = Sessions::new(
            self.broker.clone(),
            "consumer-service",
            LIMITS,
            self.broker_health.clone(),
            self.shutdown.clone(),
        );
        // Twice the batch: the next one is delivered while one is applied.
        let mut prefetch = Prefetch::new(self.batch.saturating_mul(2), LIMITS.held);
        while let Some(session) = sessions.begin().await {
            let ended = self.consume(&session, &mut prefetch).await;
            if let (Err(_), Some(fitted)) = (&ended, session.inbox.overrun()) {
                prefetch.lower(fitted);
            }
            sessions.end(session, ended).await;
        }
    }

    /// Consumes the topic until the session breaks.
    async fn consume(&self, session: &Session, prefetch: &mut Prefetch) -> anyhow::Result<()> {
        loop {
            let channel = amqp::in_time(session.create_channel()).await?;
            match self.consume_channel(&channel, &session.inbox, prefetch).await {
                Err(error) if error.is::<Resubscribe>() => info!("{error}"),
                ended => return ended,
            }
            // Unacknowledged deliveries return to the queue. Closing a broken channel fails,
            // which is ignored.
            let _ = amqp::in_time(channel.close(200, "resubscribing".into())).await;
        }
    }

    async fn consume_channel(
        &self,
        channel: &Channel,
        inbox: &Arc<Inbox>,
        prefetch: &mut Prefetch,
    ) -> anyhow::Result<()> {
        let topic = self.topic;
        inbox.open(channel.id());
        let deliveries = amqp::in_time(subscribe(channel, topic, prefetch.count)).await?;
        let (pending, mut waiting) = mpsc::channel(self.batch.into());
        let reading =
            tokio::spawn(read(topic, channel.clone(), deliveries, inbox.clone(), pending));
        let reading = AbortOnDropHandle::new(reading);
        self.broker_health.up();
        loop {
            let first = tokio::select! {
                first = waiting.recv() => first,
                () = tokio::time::sleep(SILENCE) => return Err(Resubscribe::Silence(topic).into()),
                () = self.shutdown.cancelled() => return Ok(()),
            };
            let Some(first) = first else {
                reading.await.context("reading deliveries")??;
                let Some(fitted) = inbox.overrun() else {
                    bail!("the broker cancelled the consumer");
                };
                prefetch.lower(fitted);
                return Err(Resubscribe::Prefetch(topic, prefetch.count).into());
            };
            let batch = collect_batch(first, &mut waiting, self.batch.into());
            let last_tag = self.apply_and_acknowledge(channel, batch).await?;
            let Some(last_tag) = last_tag else { return Ok(()) };
            if let Some(mean) = inbox.settle(last_tag)
                && inbox.overrun().is_none()
                && prefetch.raise(mean)
            {
                return Err(Resubscribe::Prefetch(topic, prefetch.count).into());
            }
        }
    }

    /// Applies a batch, retrying until the database accepts it, and acknowledges it. Returns its
    /// last delivery tag; none after a shutdown, when nothing is acknowledged.
    async fn apply_and_acknowledge(
        &self,
        channel: &Channel,
        batch: Vec<PendingDelivery>,
    ) -> anyhow::Result<Option<u64>> {
        let Some(last_tag) = batch.last().map(|delivery| delivery.tag) else { return Ok(None) };
        let (messages, bytes): (Vec<DecodedMessage>, Vec<OwnedSemaphorePermit>) =
            batch.into_iter().map(|delivery| (delivery.message, delivery.bytes)).unzip();
        let (topic, began) = (self.topic, Instant::now());
        let mut spans = BatchSpans::begin(topic, &messages);
        let mut backoff = Backoff::default();
        let mut rest = vec![&messages[..]];
        while let Err(error) = apply_rest(&self.pool, &mut rest).await {
            spans.record_failure();
            self.health.down(&error);
            APPLY_RETRIES.of(topic).increment(1);
            // Without the channel, the batch cannot be acknowledged.
            anyhow::ensure!(channel.status().connected(), "the channel is closed");
            if !backoff.wait(&self.shutdown).await {
                return Ok(None);
            }
        }
        trace::with(spans.trace, || {
            let duration_ms = began.elapsed().as_micros() as f64 / 1000.0;
            debug!(topic = topic.name(), messages = messages.len(), duration_ms, "applied a batch");
        });
        spans.applied();
        self.health.up();
        DELIVERIES.of(topic).increment(messages.len() as u64);
        APPLY_BATCH_SIZE.of(topic).record(messages.len() as f64);
        APPLY_DURATION.of(topic).record(began.elapsed().as_secs_f64());
        self.notifier.notify();
        drop((messages, bytes));
        channel.basic_ack(last_tag, BasicAckOptions { multiple: true }).await?;
        Ok(Some(last_tag))
    }
}

/// Subscribes to a topic, and declares its queue if it is missing.
async fn subscribe(channel: &Channel, topic: Topic, prefetch: u16) -> lapin::Result<Deliveries> {
    let queue = vec![(topic.name(), topic.binding_key())];
    amqp::declare(channel, &Topology { exchange: EXCHANGE, queues: queue }).await?;
    channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
    channel
        .basic_consume(
            topic.name().into(),
            format!("consumer-service {topic} {}", uuid::Uuid::now_v7().simple()).into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await
}

/// The first delivery and all that are ready, up to the limits, without waiting for more.
fn collect_batch(
    first: PendingDelivery,
    waiting: &mut mpsc::Receiver<PendingDelivery>,
    limit: usize,
) -> Vec<PendingDelivery> {
    let mut bytes = first.message.raw.body.len();
    let mut batch = vec![first];
    while batch.len() < limit && bytes < MAX_BATCH {
        let Ok(next) = waiting.try_recv() else { break };
        bytes += next.message.raw.body.len();
        batch.push(next);
    }
    batch
}

/// Decodes deliveries and passes them on, until the consumer ends or the receiver is closed. If
/// more arrive than may be held, the consumer is cancelled; the deliveries already held are the
/// last ones.
async fn read(
    topic: Topic,
    channel: Channel,
    deliveries: Deliveries,
    inbox: Arc<Inbox>,
    pending: mpsc::Sender<PendingDelivery>,
) -> lapin::Result<()> {
    let consumer_tag = deliveries.tag();
    let stopping = async {
        inbox.wait_for_overrun().await;
        amqp::in_time(channel.basic_cancel(consumer_tag, BasicCancelOptions::default())).await?;
        std::future::pending::<lapin::Result<()>>().await
    };
    tokio::select! {
        ended = decode(topic, deliveries, &inbox, pending) => ended,
        failed = stopping => failed,
    }
}

async fn decode(
    topic: Topic,
    mut deliveries: Deliveries,
    inbox: &Inbox,
    pending: mpsc::Sender<PendingDelivery>,
) -> lapin::Result<()> {
    let decoded = Arc::new(Semaphore::new(MAX_DECODED));
    while let Some(delivery) = deliveries.next().await {
        let delivery = delivery?;
        let bytes = delivery.data.len().min(MAX_DECODED) as u32;
        // The semaphore is never closed.
        let Ok(bytes) = decoded.clone().acquire_many_owned(bytes).await else { break };
        let tag = delivery.delivery_tag;
        let message = RawMessage { defect: inbox.defect(tag), ..delivery.into() };
        let message = DecodedMessage::decode(topic, message, database_now());
        if pending.send(PendingDelivery { tag, message, bytes }).await.is_err() {
            break;
        }
    }
    Ok(())
}
