//! Publishes a range of the event history again.
//!
//! A replay restores events that the broker or the read side has lost, for example after a queue
//! was deleted or a database restored. The rows keep their marks, and consumers ignore events that
//! they have processed. A replay uses connections of its own beside the publisher, so that new
//! events do not wait for old ones.

use super::queue::{BATCH, BATCH_BYTES, Pending};
use super::sending::{open_channel, publish, topology};
use crate::metrics::OUTBOX_REPLAYED;
use anyhow::{Context, anyhow, bail, ensure};
use chrono::{DateTime, Utc};
use lapin::Channel;
use parking_lot::Mutex;
use serde::Serialize;
use service_runtime::broker::BrokerUrl;
use service_runtime::{amqp, postgres};
use shared_events::{Topic, lowest_event_id};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use utoipa::ToSchema;
use uuid::Uuid;

/// Name of the connections.
const NAME: &str = "command-service replay";

/// A database that does not respond in this time is unreachable.
const DATABASE_DEADLINE: Duration = Duration::from_secs(60);

/// Longest time between the creation of an event, which its id contains, and its commit.
const COMMIT_DELAY: Duration = Duration::from_secs(3600);

/// A range of the event history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReplayRange {
    /// Only events committed at or after this time.
    #[schema(examples("2026-01-01T00:00:00Z"))]
    pub from: Option<DateTime<Utc>>,
    /// Only events committed before this time.
    #[schema(examples("2026-02-01T00:00:00Z"))]
    pub to: Option<DateTime<Utc>>,
    /// Only events of this topic.
    pub topic: Option<Topic>,
}

/// Progress of a replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Replay)]
pub struct Progress {
    #[serde(flatten)]
    pub range: ReplayRange,
    pub state: State,
    /// Number of events that the broker has confirmed.
    #[schema(examples(1000))]
    pub published: i64,
    /// Why the replay failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("The broker cannot be reached."))]
    pub error: Option<String>,
}

/// State of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ReplayState, examples("running"))]
pub enum State {
    Running,
    Done,
    Failed,
}

/// The replays of this process. Only one runs at a time.
#[derive(Clone, Debug)]
pub struct Replays {
    database: PgConnectOptions,
    broker: BrokerUrl,
    shutdown: CancellationToken,
    last: Arc<Mutex<Option<Progress>>>,
}

impl Replays {
    /// No replay yet.
    pub fn new(
        database: &PgConnectOptions,
        broker: BrokerUrl,
        shutdown: CancellationToken,
    ) -> Self {
        Self { database: database.clone(), broker, shutdown, last: Arc::default() }
    }

    /// Progress of the last replay.
    pub fn progress(&self) -> Option<Progress> {
        self.last.lock().clone()
    }

    /// Starts a replay and returns its progress; none if another one is running.
    pub fn start(&self, range: ReplayRange) -> Option<Progress> {
        let mut last = self.last.lock();
        if last.as_ref().is_some_and(|last| last.state == State::Running) {
            return None;
        }
        let started = Progress { range, state: State::Running, published: 0, error: None };
        *last = Some(started.clone());
        tokio::spawn(self.clone().run(range));
        Some(started)
    }

    async fn run(self, range: ReplayRange) {
        info!("replay of {range:?} started");
        let replays = self.clone();
        // A task of its own, so that the end is recorded even after a panic.
        let replaying = tokio::spawn(async move {
            let replaying = replays.replay(range);
            replays.shutdown.run_until_cancelled(replaying).await
        });
        let outcome = match replaying.await {
            Ok(ended) => ended.unwrap_or_else(|| bail!("the service is stopping")),
            Err(_) => Err(anyhow!("it panicked")),
        };
        self.note(|progress| match outcome {
            Ok(()) => {
                info!("replay done: {} events published again", progress.published);
                progress.state = State::Done;
            }
            Err(error) => {
                warn!("replay failed after {} events: {error:#}", progress.published);
                progress.state = State::Failed;
                progress.error = Some(format!("{error:#}"));
            }
        });
    }

    async fn replay(&self, range: ReplayRange) -> anyhow::Result<()> {
        let options = postgres::named(&self.database, NAME).options([("statement_timeout", "60s")]);
        let mut database = in_time(PgConnection::connect_with(&options))
            .await
            .context("cannot reach the database")?;
        let broker = amqp::connect(&self.broker, NAME, amqp::Limits::NONE)
            .await
            .context("cannot reach the broker")?;
        let channel = open_channel(&broker).await?;
        amqp::declare(&channel, &topology(&Topic::ALL)).await?;
        self.publish_all(&mut database, &channel, range).await?;
        let _ = broker.close(200, "bye".into()).await;
        let _ = database.close().await;
        Ok(())
    }

    /// Publishes page by page. A single statement for all events would keep PostgreSQL from
    /// removing dead rows of other tables.
    async fn publish_all(
        &self,
        database: &mut PgConnection,
        channel: &Channel,
        range: ReplayRange,
    ) -> anyhow::Result<()> {
        let mut after =
            range.from.map(|from| lowest_event_id(from - COMMIT_DELAY)).unwrap_or_default();
        loop {
            let page = page(database, range, after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            let confirmed = publish(channel, &page, None).await?.confirmed.len();
            self.note(|progress| progress.published += confirmed as i64);
            OUTBOX_REPLAYED.increment(confirmed as u64);
            ensure!(
                confirmed == page.len(),
                "the broker has refused {} events, or has no queue for them",
                page.len() - confirmed
            );
        }
    }

    fn note(&self, change: impl FnOnce(&mut Progress)) {
        self.last.lock().as_mut().map(change);
    }
}

/// The next events of a range, by id.
async fn page(
    database: &mut PgConnection,
    ReplayRange { from, to, topic }: ReplayRange,
    after: Uuid,
) -> anyhow::Result<Vec<Pending>> {
    let before = to.map(|to| lowest_event_id(to + COMMIT_DELAY)).unwrap_or(Uuid::max());
    let rows = sqlx::query_file_as!(
        Pending,
        "src/outbox/replay.sql",
        after,
        before,
        from,
        to,
        topic.map(Topic::name),
        BATCH as i64,
        BATCH_BYTES,
    )
    .fetch_all(database);
    in_time(rows).await.context("cannot read the outbox")
}

/// Waits for the database until the deadline.
async fn in_time<T>(work: impl Future<Output = sqlx::Result<T>>) -> anyhow::Result<T> {
    let done = timeout(DATABASE_DEADLINE, work).await;
    Ok(done.with_context(|| format!("no response within {DATABASE_DEADLINE:?}"))??)
}
