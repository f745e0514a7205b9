//! Taking deliveries from the queues, and the only place that acknowledges.
//!
//! Each topic has a channel and a loop of its own: whatever is there, up to a
//! limit, is applied in one transaction, and then acknowledged with one
//! multiple acknowledgement. While it is applied, what comes next is read. Nothing is acknowledged that was not committed:
//! if the database is away, the deliveries are held until it is back; if the
//! broker is, they will come again, and are told apart by their ids.

use crate::announcement::Announcer;
use crate::apply::apply;
use crate::batch_spans::BatchSpans;
use crate::incoming::Incoming;
use crate::metrics::{APPLY_BATCH_SIZE, APPLY_DURATION, APPLY_RETRIES, DELIVERIES};
use crate::projections::topics;
use anyhow::{Context, bail};
use futures::StreamExt;
use futures::future::try_join_all;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer as Deliveries};
use service_runtime::amqp::{self, Sessions, Topology};
use service_runtime::broker::BrokerUrl;
use service_runtime::health::{Health, Need, Reporter};
use service_runtime::retry::Pauses;
use service_runtime::trace;
use shared_events::topology::EXCHANGE;
use shared_events::{Topic, now};
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info};

/// Watermarks come every second. After such a silence either no publisher is
/// running, or the broker has lost us: of a quorum queue that is deleted and at
/// once made anew, RabbitMQ 3.10 takes the deliveries for repetitions and keeps
/// them back. Consuming anew helps then, and costs nothing otherwise.
const SILENCE: Duration = Duration::from_secs(10);

/// A batch ends with the message that brings its bodies to so many bytes: orders of
/// many lines must fit in memory, and in a parameter of a statement.
const MAX_BYTES: usize = 16 << 20;

/// A delivery, read, and its tag.
type Arrival = (u64, Incoming);

/// Nothing has come from the queue of a topic.
#[derive(Debug, thiserror::Error)]
#[error("nothing has come from {0} for {SILENCE:?}, not even a watermark; consuming anew")]
struct Silence(Topic);

/// Consumes every topic that a projection wants.
#[derive(Debug)]
pub struct Consumer {
    broker: BrokerUrl,
    pool: PgPool,
    announcer: Announcer,
    batch: u16,
    broker_health: Reporter,
    /// Of each topic, whether its events are being applied.
    applying: BTreeMap<Topic, Reporter>,
    shutdown: CancellationToken,
}

impl Consumer {
    /// A consumer that applies up to `batch` events at once, and reports each batch to
    /// `announcer`.
    pub fn new(
        broker: BrokerUrl,
        pool: PgPool,
        announcer: Announcer,
        batch: u16,
        health: &Health,
        shutdown: CancellationToken,
    ) -> Self {
        let broker_health = health.part("broker", Need::Vital);
        let applying =
            topics().into_iter().map(|topic| (topic, health.part(topic.name(), Need::Vital)));
        Self {
            broker,
            pool,
            announcer,
            batch,
            broker_health,
            applying: applying.collect(),
            shutdown,
        }
    }

    /// Consumes until shutdown, whatever comes and goes meanwhile.
    pub async fn run(self) {
        for topic in self.applying.values() {
            topic.up();
        }
        let mut sessions = Sessions::new(
            self.broker.clone(),
            "consumer-service",
            self.broker_health.clone(),
            self.shutdown.clone(),
        );
        while let Some(connection) = sessions.begin().await {
            let loops = self
                .applying
                .iter()
                .map(|(topic, health)| self.consume(&connection, *topic, health));
            let ended = try_join_all(loops).await.map(|_| ());
            sessions.end(connection, ended).await;
        }
    }

    /// Consumes a topic until the session breaks, anew after each silence.
    async fn consume(
        &self,
        connection: &Connection,
        topic: Topic,
        health: &Reporter,
    ) -> anyhow::Result<()> {
        loop {
            match self.consume_channel(connection, topic, health).await {
                Err(error) if error.is::<Silence>() => info!("{error}"),
                ended => return ended,
            }
        }
    }

    async fn consume_channel(
        &self,
        connection: &Connection,
        topic: Topic,
        health: &Reporter,
    ) -> anyhow::Result<()> {
        // Twice the batch: while one is applied, the next one is on its way.
        let ahead = self.batch.saturating_mul(2);
        let (channel, deliveries) = amqp::in_time(subscribe(connection, topic, ahead)).await?;
        let (arrivals, mut waiting) = mpsc::channel(ahead.into());
        let reading = AbortOnDropHandle::new(tokio::spawn(read(topic, deliveries, arrivals)));
        self.broker_health.up();
        loop {
            let first = tokio::select! {
                first = waiting.recv() => first,
                () = tokio::time::sleep(SILENCE) => return Err(Silence(topic).into()),
                () = self.shutdown.cancelled() => return Ok(()),
            };
            let Some(first) = first else {
                reading.await.context("reading deliveries")??;
                bail!("the broker cancelled the consumer");
            };
            let batch = gather(first, &mut waiting, self.batch.into());
            if !self.settle(&channel, topic, health, batch).await? {
                return Ok(());
            }
        }
    }

    /// Applies a batch, waiting for the database as long as it takes, and
    /// acknowledges it. False if the shutdown came first: nothing is
    /// acknowledged then.
    async fn settle(
        &self,
        channel: &Channel,
        topic: Topic,
        health: &Reporter,
        batch: Vec<Arrival>,
    ) -> anyhow::Result<bool> {
        let last_tag = batch.last().map(|(tag, _)| *tag);
        let incoming: Vec<Incoming> = batch.into_iter().map(|(_, incoming)| incoming).collect();
        let began = Instant::now();
        let mut spans = BatchSpans::begin(topic, &incoming);
        let mut pauses = Pauses::default();
        while let Err(error) = apply(&self.pool, &incoming).await {
            spans.tried_in_vain();
            health.down(&error);
            APPLY_RETRIES.add_to(topic, 1);
            // The broker may be gone meanwhile; then there is nobody to answer.
            anyhow::ensure!(channel.status().connected(), "the channel broke");
            if !pauses.pause(&self.shutdown).await {
                return Ok(false);
            }
        }
        trace::with(spans.trace(), || {
            let duration_ms = began.elapsed().as_micros() as f64 / 1000.0;
            debug!(topic = topic.name(), messages = incoming.len(), duration_ms, "applied a batch");
        });
        spans.applied();
        health.up();
        DELIVERIES.add_to(topic, incoming.len());
        APPLY_BATCH_SIZE.record_of(topic, incoming.len() as f64);
        APPLY_DURATION.record_of(topic, began.elapsed().as_secs_f64());
        self.announcer.announce();
        if let Some(last_tag) = last_tag {
            channel.basic_ack(last_tag, BasicAckOptions { multiple: true }).await?;
        }
        Ok(true)
    }
}

/// Begins to consume a topic, whose queue is declared if it is not there.
async fn subscribe(
    connection: &Connection,
    topic: Topic,
    ahead: u16,
) -> lapin::Result<(Channel, Deliveries)> {
    let channel = connection.create_channel().await?;
    let queue = vec![(topic.name(), topic.binding_key())];
    amqp::declare(&channel, &Topology { exchange: EXCHANGE, queues: queue }).await?;
    channel.basic_qos(ahead, BasicQosOptions::default()).await?;
    let deliveries = channel
        .basic_consume(
            topic.name().into(),
            format!("consumer-service {topic} {}", uuid::Uuid::now_v7().simple()).into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    Ok((channel, deliveries))
}

/// A delivery and whatever else is there, up to limits, without waiting for more.
fn gather(first: Arrival, waiting: &mut mpsc::Receiver<Arrival>, limit: usize) -> Vec<Arrival> {
    let mut bytes = first.1.body.len();
    let mut batch = vec![first];
    while batch.len() < limit && bytes < MAX_BYTES {
        let Ok(next) = waiting.try_recv() else { break };
        bytes += next.1.body.len();
        batch.push(next);
    }
    batch
}

/// Reads deliveries and hands them on, until the consumer ends or nobody takes them.
async fn read(
    topic: Topic,
    mut deliveries: Deliveries,
    arrivals: mpsc::Sender<Arrival>,
) -> lapin::Result<()> {
    while let Some(delivery) = deliveries.next().await {
        let delivery = delivery?;
        let tag = delivery.delivery_tag;
        let arrival = (tag, Incoming::read(topic, delivery.into(), now()));
        if arrivals.send(arrival).await.is_err() {
            break;
        }
    }
    Ok(())
}
