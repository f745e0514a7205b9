//! The polling publisher.

use super::queue::{self, Pending, Scan};
use super::sending::{CONFIRM_DEADLINE, Unsent, publish, send, topology};
use super::{leadership, message};
use crate::metrics::{OUTBOX_PUBLISHED, PUBLISHER_LEADER};
use futures::future::try_join_all;
use lapin::options::ConfirmSelectOptions;
use lapin::{Channel, Connection};
use service_runtime::amqp::{self, Sessions};
use service_runtime::config::BrokerUrl;
use service_runtime::health::Reporter;
use service_runtime::retry::Pauses;
use shared_events::topology::routing_key;
use shared_events::{Topic, Watermark};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::info;
use uuid::Uuid;

/// How often the outbox is looked at without a wake-up: commits of other
/// command services wake nobody here.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How often a standby tries to become the leader.
const STANDBY_INTERVAL: Duration = Duration::from_secs(1);

/// How long to leave alone what the broker has refused.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// How often watermarks are sent.
const WATERMARK_INTERVAL: Duration = Duration::from_secs(1);

/// How often exchange and queues are declared again while connected. Somebody
/// may have deleted a queue, which `mandatory` does not show while another
/// queue is bound to the same key.
const DECLARE_INTERVAL: Duration = Duration::from_secs(30);

/// How often the database hears of a leader that waits for the broker; it deposes one
/// that says nothing, see `leadership`.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// A database that has not answered by then is taken for lost.
const DATABASE_DEADLINE: Duration = Duration::from_secs(15);

/// Publishes the outbox of one write database.
#[derive(Debug)]
pub struct Publisher {
    database: PgConnectOptions,
    broker: BrokerUrl,
    committed: Arc<Notify>,
    broker_health: Reporter,
    health: Reporter,
    shutdown: CancellationToken,
}

/// Why a leader stopped.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Unsent(#[from] Unsent),
    #[error("the connection broke")]
    Disconnected,
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("database: no answer within {DATABASE_DEADLINE:?}")]
    NoAnswer,
}

impl Publisher {
    /// A publisher that `committed` wakes. It tells of the broker by
    /// `broker_health`, and by `health` whether it gets its work done.
    pub fn new(
        database: &PgConnectOptions,
        broker: BrokerUrl,
        committed: Arc<Notify>,
        broker_health: Reporter,
        health: Reporter,
        shutdown: CancellationToken,
    ) -> Self {
        Self { database: database.clone(), broker, committed, broker_health, health, shutdown }
    }

    /// Publishes until shutdown, whatever comes and goes meanwhile.
    pub async fn run(self) {
        let name = "command-service publisher";
        let reporter = self.broker_health.clone();
        let mut sessions =
            Sessions::new(self.broker.clone(), name, reporter, self.shutdown.clone());
        while let Some(connection) = sessions.begin().await {
            let ended = self.session(&connection).await;
            sessions.end(connection, ended).await;
        }
    }

    /// Publishes over one connection to the broker, until that breaks.
    async fn session(&self, connection: &Connection) -> anyhow::Result<()> {
        let channel = amqp::in_time(async {
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok(channel)
        })
        .await?;
        amqp::declare(&channel, &topology()).await?;
        self.broker_health.up();
        let mut pauses = Pauses::default();
        loop {
            match self.lead(connection, &channel, &mut pauses).await {
                Ok(()) => return Ok(()),
                Err(failure @ (Failure::Database(_) | Failure::NoAnswer)) => {
                    self.health.down(failure);
                }
                Err(broker) => return Err(broker.into()),
            }
            if !pauses.pause(&self.shutdown).await {
                return Ok(());
            }
        }
    }

    /// Waits to become the leader, then publishes until shutdown.
    async fn lead(
        &self,
        connection: &Connection,
        channel: &Channel,
        pauses: &mut Pauses,
    ) -> Result<(), Failure> {
        let mut database = in_time(leadership::connect(&self.database)).await?;
        while !in_time(leadership::try_acquire(&mut database)).await? {
            self.health.up();
            if !channel.status().connected() {
                return Err(Failure::Disconnected);
            }
            if !self.pause(STANDBY_INTERVAL).await {
                return Ok(());
            }
        }
        info!("this publisher is the active one");
        let _lead = Lead::taken();
        self.health.up();
        pauses.reset();
        let mut scan = Scan::default();
        let mut watermarks = Timer::new(WATERMARK_INTERVAL);
        let mut declarations = Timer::new(DECLARE_INTERVAL);
        let mut was_blocked = false;
        loop {
            if !connection.status().connected() {
                return Err(Failure::Disconnected);
            }
            if connection.status().blocked() {
                was_blocked = true;
                // What is sent now would only wait in our memory and theirs.
                self.broker_health.down("it takes no messages: short of memory or disk");
                // A leader that says nothing loses the lead.
                in_time(database.ping()).await?;
                if !self.pause(STANDBY_INTERVAL).await {
                    return Ok(());
                }
                continue;
            }
            if declarations.is_due() {
                amqp::declare(channel, &topology()).await?;
            }
            if watermarks.is_due() {
                publish_watermarks(&mut database, channel).await?;
                if std::mem::take(&mut was_blocked) {
                    self.broker_health.up();
                }
            }
            if self.shutdown.is_cancelled() {
                return Ok(());
            }
            if self.publish_next(&mut scan, &mut database, channel).await? == 0 {
                tokio::select! {
                    // A commit since the look has left a permit: none is slept over.
                    () = self.committed.notified() => {}
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
        let pending = in_time(scan.next(database)).await?;
        if pending.is_empty() {
            return Ok(0);
        }
        let confirmed = publish_awake(database, channel, &pending).await?;
        in_time(queue::mark_published(database, &confirmed)).await?;
        OUTBOX_PUBLISHED.add(confirmed.len());
        if confirmed.len() < pending.len() {
            self.broker_health.down("some events were refused, or have no queue");
            amqp::declare(channel, &topology()).await?;
            self.pause(REFUSED_PAUSE).await;
        } else {
            self.broker_health.up();
        }
        Ok(confirmed.len())
    }

    /// False if the shutdown came first.
    async fn pause(&self, pause: Duration) -> bool {
        self.shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_some()
    }
}

impl From<lapin::Error> for Failure {
    fn from(error: lapin::Error) -> Self {
        Self::Unsent(error.into())
    }
}

/// Waits for the database, but not for ever: a host that vanished would be
/// noticed by the kernel only after a quarter of an hour. The connection is
/// given up after that, and what was under way with it.
async fn in_time<T>(work: impl Future<Output = sqlx::Result<T>>) -> Result<T, Failure> {
    Ok(timeout(DATABASE_DEADLINE, work).await.map_err(|_| Failure::NoAnswer)??)
}

/// Publishes a batch, however slow the broker is, as long as it gets on; meanwhile the
/// database hears of us, or it would depose the leader.
async fn publish_awake(
    database: &mut PgConnection,
    channel: &Channel,
    pending: &[Pending],
) -> Result<Vec<Uuid>, Failure> {
    let mut publishing = std::pin::pin!(publish(channel, pending));
    loop {
        match timeout(SIGN_OF_LIFE, &mut publishing).await {
            Ok(confirmed) => return Ok(confirmed?),
            Err(_) => in_time(database.ping()).await?,
        }
    }
}

/// Tells every topic how many of its events have been committed.
async fn publish_watermarks(database: &mut PgConnection, channel: &Channel) -> Result<(), Failure> {
    let committed = in_time(queue::committed(database)).await?;
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
    timeout(CONFIRM_DEADLINE, sending).await.map_err(Unsent::from)??;
    Ok(())
}

/// What metrics tell of the lead, until it is dropped.
struct Lead;

impl Lead {
    fn taken() -> Self {
        PUBLISHER_LEADER.set(1.0);
        Self
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        PUBLISHER_LEADER.set(0.0);
    }
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
