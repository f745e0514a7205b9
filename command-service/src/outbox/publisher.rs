//! The polling publisher.
//!
//! One process leads: it reads the unpublished rows of all topics and sends each topic
//! separately, see `topic_publisher`. A process leads only while it is connected to the
//! broker, so that another one takes over if its connection breaks.

use super::queue;
use super::sending::CONFIRM_DEADLINE;
use super::topic_publisher::{Attempt, TopicPublisher};
use crate::leadership::{self, STANDBY_INTERVAL};
use crate::metrics::{OUTBOX_PUBLISHED, PUBLISHER_LEADER};
use futures::FutureExt;
use futures::future::join_all;
use lapin::Connection;
use service_runtime::amqp::{Limits, Sessions};
use service_runtime::broker::BrokerUrl;
use service_runtime::health::DependencyStatus;
use service_runtime::postgres::sqlstate;
use service_runtime::retry::Backoff;
use shared_events::Topic;
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::info;
use uuid::Uuid;

/// Poll interval. Commits of this process wake the publisher; commits of other command services
/// do not.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Interval of watermarks.
const WATERMARK_INTERVAL: Duration = Duration::from_secs(1);

/// A database that does not respond in this time is unreachable.
const DATABASE_DEADLINE: Duration = Duration::from_secs(15);

/// Time that a leader waits for confirms when it stops.
const LAST_CONFIRMS: Duration = Duration::from_secs(5);

/// SQLSTATE codes of a locked row: lock timeout and deadlock.
const LOCKED: [&str; 2] = ["55P03", "40P01"];

const BLOCKED: &str = "it accepts no messages because memory or disk is low";

/// Publishes the outbox of one write database.
#[derive(Debug)]
pub struct Publisher {
    pub database: PgConnectOptions,
    pub broker: BrokerUrl,
    /// Wakes the publisher after a commit.
    pub committed: Arc<Notify>,
    /// The state of the broker.
    pub broker_health: DependencyStatus,
    /// Whether every topic can be published.
    pub health: DependencyStatus,
    pub shutdown: CancellationToken,
}

/// Why a leader stopped.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the connection broke")]
    Disconnected,
    #[error("no topic can be published: {0}")]
    NoConfirms(String),
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("database: no response within {DATABASE_DEADLINE:?}")]
    NoResponse,
}

impl Publisher {
    /// Publishes until shutdown, and reconnects after failures.
    pub async fn run(self) {
        let name = "command-service publisher";
        let reporter = self.broker_health.clone();
        let mut sessions =
            Sessions::new(self.broker.clone(), name, Limits::NONE, reporter, self.shutdown.clone());
        while let Some(connection) = sessions.begin().await {
            let ended = self.session(&connection).await;
            if ended.is_err() {
                self.health.down("no connection to the broker");
            }
            sessions.end(connection, ended).await;
        }
    }

    /// Publishes until the connection to the broker breaks.
    async fn session(&self, connection: &Connection) -> anyhow::Result<()> {
        self.broker_health.up();
        let mut backoff = Backoff::default();
        loop {
            match self.lead(connection, &mut backoff).await {
                Ok(()) => return Ok(()),
                Err(failure @ (Failure::Database(_) | Failure::NoResponse)) => {
                    self.health.down(failure);
                }
                Err(broker) => return Err(broker.into()),
            }
            if !backoff.wait(&self.shutdown).await {
                return Ok(());
            }
        }
    }

    /// Waits to become the leader, then publishes until shutdown.
    async fn lead(&self, connection: &Connection, backoff: &mut Backoff) -> Result<(), Failure> {
        let mut database = in_time(leadership::Task::Publisher.connect(&self.database)).await?;
        while !in_time(leadership::Task::Publisher.try_acquire(&mut database)).await? {
            self.health.up();
            if !connection.status().connected() {
                return Err(Failure::Disconnected);
            }
            let standing_by = tokio::time::sleep(STANDBY_INTERVAL);
            if self.shutdown.run_until_cancelled(standing_by).await.is_none() {
                return Ok(());
            }
        }
        info!("this publisher is the leader");
        backoff.reset();
        PUBLISHER_LEADER.set(1.0);
        let ended = Leader::new(self, database).run(connection).await;
        PUBLISHER_LEADER.set(0.0);
        ended
    }
}

/// The active publisher.
struct Leader<'a> {
    publisher: &'a Publisher,
    database: PgConnection,
    topics: [TopicPublisher; Topic::ALL.len()],
    /// Batches being sent, at most one of each topic, in tasks, so that none waits for the
    /// database.
    sending: JoinSet<Attempt>,
    watermarks: Interval,
    /// When the broker last confirmed or refused a message.
    last_response_at: Instant,
}

impl<'a> Leader<'a> {
    fn new(publisher: &'a Publisher, database: PgConnection) -> Self {
        let mut watermarks = interval(WATERMARK_INTERVAL);
        watermarks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            publisher,
            database,
            topics: Topic::ALL.map(TopicPublisher::new),
            sending: JoinSet::new(),
            watermarks,
            last_response_at: Instant::now(),
        }
    }

    /// Publishes until shutdown.
    async fn run(mut self, connection: &Connection) -> Result<(), Failure> {
        while connection.status().connected() {
            if self.publisher.shutdown.is_cancelled() {
                self.end().await;
                return Ok(());
            }
            self.step().await?;
        }
        Err(Failure::Disconnected)
    }

    /// Starts the batches that are ready, then waits until one has ended or there may be more.
    async fn step(&mut self) -> Result<(), Failure> {
        // This statement also prevents the idle timeout of the session.
        if self.watermarks.tick().now_or_never().is_some() {
            for watermark in in_time(queue::committed(&mut self.database)).await? {
                let topic = watermark.topic;
                self.topic(topic).watermark = Some(watermark);
            }
        }
        self.send_next().await?;
        let is_idle = self.sending.is_empty();
        tokio::select! {
            Some(ended) = self.sending.join_next() => self.settle(attempt(ended)).await?,
            // `Notify` stores a permit, so a commit since the last read is not missed. While a
            // batch is being sent, commits do not wake the publisher: each would cost a query.
            () = self.publisher.committed.notified(), if is_idle => {}
            () = tokio::time::sleep(POLL_INTERVAL) => {}
            () = self.publisher.shutdown.cancelled() => {}
        }
        self.report();
        Ok(())
    }

    /// Sends the next batch of every topic that is ready.
    async fn send_next(&mut self) -> Result<(), Failure> {
        for topic in Topic::ALL {
            if self.topic(topic).is_ready() {
                let unmarked = std::mem::take(&mut self.topic(topic).unmarked);
                self.mark(topic, unmarked).await?;
            }
        }
        let mut ready: Vec<&mut TopicPublisher> =
            self.topics.iter_mut().filter(|topic| topic.is_ready()).collect();
        if ready.is_empty() {
            return Ok(());
        }
        let mut scans: Vec<_> =
            ready.iter_mut().map(|ready| (ready.topic, &mut ready.scan)).collect();
        let batches = in_time(queue::next(&mut self.database, &mut scans)).await?;
        for (topic, batch) in ready.into_iter().zip(batches) {
            if let Some(sending) = topic.send(&self.publisher.broker, batch) {
                self.sending.spawn(sending);
            }
        }
        Ok(())
    }

    /// Marks the events of a batch that the broker has confirmed.
    async fn settle(&mut self, attempt: Attempt) -> Result<(), Failure> {
        let topic = attempt.topic;
        let confirmed = match &attempt.outcome {
            Ok(sent) => Ok(sent.confirmed.clone()),
            Err(error) => Err(format!("{error:#}")),
        };
        self.topic(topic).settle(attempt);
        match confirmed {
            Ok(confirmed) => {
                self.last_response_at = Instant::now();
                self.mark(topic, confirmed).await
            }
            Err(error)
                if self.last_response_at.elapsed() >= CONFIRM_DEADLINE && !self.is_blocked() =>
            {
                Err(Failure::NoConfirms(error))
            }
            Err(_) => Ok(()),
        }
    }

    /// Marks events of a topic that the broker has confirmed. If a row is locked, they
    /// are marked before the topic sends more. Each topic has rows and a count of its
    /// own, so the lock affects no other topic.
    async fn mark(&mut self, topic: Topic, confirmed: Vec<Uuid>) -> Result<(), Failure> {
        if confirmed.is_empty() {
            return Ok(());
        }
        match in_time(queue::mark_published(&mut self.database, &confirmed)).await {
            Ok(()) => OUTBOX_PUBLISHED.increment(confirmed.len() as u64),
            Err(Failure::Database(locked)) if is_locked(&locked) => {
                let topic = self.topic(topic);
                topic.unmarked = confirmed;
                topic.fail(format!("cannot mark published events: {locked}"));
            }
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    /// Reports to health which topics cannot be published.
    fn report(&mut self) {
        let Publisher { broker_health, health, .. } = self.publisher;
        if self.is_blocked() {
            self.last_response_at = Instant::now();
            broker_health.down(BLOCKED);
            health.down(format_args!("broker: {BLOCKED}"));
            return;
        }
        broker_health.up();
        let problems: Vec<String> =
            self.topics.iter().filter_map(TopicPublisher::problem).collect();
        if problems.is_empty() {
            health.up();
        } else {
            health.down(problems.join("; "));
        }
    }

    fn is_blocked(&self) -> bool {
        self.topics.iter().any(TopicPublisher::is_blocked)
    }

    fn topic(&mut self, topic: Topic) -> &mut TopicPublisher {
        &mut self.topics[topic as usize]
    }

    /// Waits a short time for confirms and marks those events, then closes the
    /// connections.
    async fn end(mut self) {
        let _ = timeout(LAST_CONFIRMS, async {
            while let Some(ended) = self.sending.join_next().await {
                self.settle(attempt(ended)).await?;
            }
            join_all(self.topics.into_iter().map(TopicPublisher::close)).await;
            Ok::<_, Failure>(())
        })
        .await;
    }
}

/// The result of a task. A panic is passed on and ends the service.
fn attempt(ended: Result<Attempt, JoinError>) -> Attempt {
    ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

fn is_locked(error: &sqlx::Error) -> bool {
    sqlstate(error).is_some_and(|code| LOCKED.contains(&code.as_str()))
}

/// Waits for the database until the deadline. The kernel reports a host that has disappeared only
/// after a quarter of an hour. The caller drops the connection then.
async fn in_time<T>(work: impl Future<Output = sqlx::Result<T>>) -> Result<T, Failure> {
    Ok(timeout(DATABASE_DEADLINE, work).await.map_err(|_| Failure::NoResponse)??)
}
