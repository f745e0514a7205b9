//! The polling publisher.

use super::queue::{self, Pending, Scan};
use super::{leadership, message};
use futures::future::try_join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use service_runtime::amqp::{self, Sessions, Topology};
use service_runtime::config::BrokerUrl;
use service_runtime::health::Reporter;
use service_runtime::retry::Pauses;
use shared_events::topology::{EXCHANGE, routing_key};
use shared_events::{Topic, Watermark};
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

/// How often the outbox is looked at without a wake-up: commits of other
/// command services wake nobody here.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How often a standby tries to become the leader.
const STANDBY_INTERVAL: Duration = Duration::from_secs(1);

/// How often watermarks are sent.
const WATERMARK_INTERVAL: Duration = Duration::from_secs(1);

/// How often exchange and queues are declared again while connected. Somebody
/// may have deleted a queue, which `mandatory` does not show while another
/// queue is bound to the same key.
const DECLARE_INTERVAL: Duration = Duration::from_secs(30);

/// A broker that has not confirmed by then is taken for lost.
const CONFIRM_DEADLINE: Duration = Duration::from_secs(10);

/// Publishes the outbox of one write database.
#[derive(Debug)]
pub struct Publisher {
    database: PgConnectOptions,
    broker: BrokerUrl,
    committed: Arc<Notify>,
    reporter: Reporter,
    shutdown: CancellationToken,
}

/// Why a leader stopped.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("broker: {0}")]
    Broker(#[from] lapin::Error),
    #[error("broker: no confirm within {CONFIRM_DEADLINE:?}")]
    NoConfirm(#[from] tokio::time::error::Elapsed),
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

impl Publisher {
    /// A publisher that `committed` wakes and that tells of the broker by
    /// `reporter`.
    pub fn new(
        database: &PgConnectOptions,
        broker: BrokerUrl,
        committed: Arc<Notify>,
        reporter: Reporter,
        shutdown: CancellationToken,
    ) -> Self {
        Self { database: database.clone(), broker, committed, reporter, shutdown }
    }

    /// Publishes until shutdown, whatever comes and goes meanwhile.
    pub async fn run(self) {
        let name = "command-service publisher";
        let reporter = self.reporter.clone();
        let mut sessions =
            Sessions::new(self.broker.clone(), name, reporter, self.shutdown.clone());
        while let Some(connection) = sessions.begin().await {
            let ended = self.session(&connection).await;
            sessions.end(connection, ended).await;
        }
    }

    /// Publishes over one connection to the broker, until that breaks.
    async fn session(&self, connection: &Connection) -> anyhow::Result<()> {
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        amqp::declare(&channel, &topology()).await?;
        let mut pauses = Pauses::default();
        loop {
            match self.lead(&channel, &mut pauses).await {
                Ok(()) => return Ok(()),
                Err(Failure::Database(error)) => warn!("publishing pauses: database: {error}"),
                Err(broker) => return Err(broker.into()),
            }
            if !pauses.pause(&self.shutdown).await {
                return Ok(());
            }
        }
    }

    /// Waits to become the leader, then publishes until shutdown.
    async fn lead(&self, channel: &Channel, pauses: &mut Pauses) -> Result<(), Failure> {
        let mut database = leadership::connect(&self.database).await?;
        while !leadership::try_acquire(&mut database).await? {
            let pause = tokio::time::sleep(STANDBY_INTERVAL);
            if self.shutdown.run_until_cancelled(pause).await.is_none() {
                return Ok(());
            }
        }
        info!("this publisher is the active one");
        pauses.reset();
        let mut scan = Scan::default();
        let mut watermarks = Timer::new(WATERMARK_INTERVAL);
        let mut declarations = Timer::new(DECLARE_INTERVAL);
        loop {
            // Registered before the look, so that no commit in between is slept over.
            let woken = self.committed.notified();
            if declarations.is_due() {
                amqp::declare(channel, &topology()).await?;
            }
            if watermarks.is_due() {
                publish_watermarks(&mut database, channel).await?;
            }
            if self.shutdown.is_cancelled() {
                return Ok(());
            }
            if self.publish_next(&mut scan, &mut database, channel).await? == 0 {
                tokio::select! {
                    () = woken => {}
                    () = tokio::time::sleep(POLL_INTERVAL) => {}
                    () = self.shutdown.cancelled() => return Ok(()),
                }
            }
        }
    }

    /// Publishes and marks one batch; returns how many were marked.
    async fn publish_next(
        &self,
        scan: &mut Scan,
        database: &mut PgConnection,
        channel: &Channel,
    ) -> Result<usize, Failure> {
        let pending = scan.next(database).await?;
        if pending.is_empty() {
            return Ok(0);
        }
        let confirmed = publish(channel, &pending).await?;
        queue::mark_published(database, &confirmed).await?;
        metrics::counter!("outbox_published_total").increment(confirmed.len() as u64);
        if confirmed.len() < pending.len() {
            self.reporter.down("some events were refused by the broker or have no queue");
            amqp::declare(channel, &topology()).await?;
        } else {
            self.reporter.up();
        }
        Ok(confirmed.len())
    }
}

/// Sends a batch without waiting in between, then waits for all confirms.
/// Returns the ids of those that the broker has taken and routed.
async fn publish(channel: &Channel, pending: &[Pending]) -> Result<Vec<Uuid>, Failure> {
    let sending = async {
        let mut confirms = Vec::with_capacity(pending.len());
        for event in pending {
            let key = routing_key(&event.topic, &event.event_type);
            let properties = message::event_properties(event);
            confirms.push(send(channel, &key, event.payload.as_bytes(), properties).await?);
        }
        try_join_all(confirms).await
    };
    let confirms = tokio::time::timeout(CONFIRM_DEADLINE, sending).await??;
    // `Ack(Some(…))` came back: it had no queue.
    let taken = |confirm: &Confirmation| matches!(confirm, Confirmation::Ack(None));
    let confirmed = pending.iter().zip(&confirms).filter(|(_, confirm)| taken(confirm));
    Ok(confirmed.map(|(event, _)| event.id).collect())
}

async fn send(
    channel: &Channel,
    key: &str,
    body: &[u8],
    properties: BasicProperties,
) -> lapin::Result<lapin::PublisherConfirm> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    channel.basic_publish(EXCHANGE.into(), key.into(), options, body, properties).await
}

/// Tells every topic how many of its events have been committed.
async fn publish_watermarks(database: &mut PgConnection, channel: &Channel) -> Result<(), Failure> {
    let committed = queue::committed(database).await?;
    let sending = async {
        let mut confirms = Vec::with_capacity(committed.len());
        for row in &committed {
            let Some(topic) = Topic::from_name(&row.topic) else { continue };
            let watermark = Watermark { topic, taken_at: row.at, committed: row.count };
            let Ok(body) = serde_json::to_vec(&watermark) else { continue };
            let key = routing_key(topic.name(), Watermark::TYPE);
            confirms.push(send(channel, &key, &body, message::watermark_properties()).await?);
        }
        try_join_all(confirms).await
    };
    // The confirms are awaited as a sign of life of an idle connection.
    tokio::time::timeout(CONFIRM_DEADLINE, sending).await??;
    Ok(())
}

fn topology() -> Topology {
    let queues = Topic::ALL.map(|topic| (topic.name(), topic.binding_key()));
    Topology { exchange: EXCHANGE, queues: queues.to_vec() }
}

/// Something to be done from time to time, first at once.
struct Timer {
    interval: Duration,
    last: Option<Instant>,
}

impl Timer {
    fn new(interval: Duration) -> Self {
        Self { interval, last: None }
    }

    /// Whether it is time; if so, the next time is an interval later.
    fn is_due(&mut self) -> bool {
        let due = self.last.is_none_or(|last| last.elapsed() >= self.interval);
        if due {
            self.last = Some(Instant::now());
        }
        due
    }
}
