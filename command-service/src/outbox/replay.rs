//! Publishing a stretch of history again.
//!
//! For when the broker or the read side has lost events: a queue was deleted, a
//! database restored. Rows stay marked as they are; whoever has an event already
//! ignores it. It goes beside the publisher, over connections of its own, so that new
//! events do not wait behind old ones.

use super::queue::{BATCH, BATCH_BYTES, Pending};
use super::sending::{publish, topology};
use crate::metrics::OUTBOX_REPLAYED;
use anyhow::{Context, anyhow, bail, ensure};
use chrono::{DateTime, Utc};
use lapin::Channel;
use lapin::options::ConfirmSelectOptions;
use serde::Serialize;
use service_runtime::broker::BrokerUrl;
use service_runtime::{amqp, postgres};
use shared_events::{Topic, lowest_event_id};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use utoipa::ToSchema;
use uuid::Uuid;

/// The name of its connections.
const NAME: &str = "command-service replay";

/// A page that was not read by then will not be.
const DATABASE_DEADLINE: Duration = Duration::from_secs(60);

/// An event's id tells when it was made; it was committed at most so much later.
const SLACK: Duration = Duration::from_secs(3600);

/// A stretch of history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Stretch {
    /// Events committed then or later; none: from the beginning.
    #[schema(examples("2026-01-01T00:00:00Z"))]
    pub from: Option<DateTime<Utc>>,
    /// Events committed before; none: up to now.
    #[schema(examples("2026-02-01T00:00:00Z"))]
    pub to: Option<DateTime<Utc>>,
    /// Events of this topic; none: of all.
    #[schema(examples("order-events"))]
    pub topic: Option<Topic>,
}

/// How far a replay has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Replay)]
pub struct Progress {
    #[serde(flatten)]
    pub stretch: Stretch,
    #[schema(examples("running"))]
    pub state: State,
    /// Events that the broker has confirmed.
    #[schema(examples(1000))]
    pub published: i64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("The broker cannot be reached."))]
    pub error: Option<String>,
}

/// What a replay is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ReplayState)]
pub enum State {
    Running,
    Done,
    Failed,
}

/// The replays of this process, of which one runs at a time.
#[derive(Clone, Debug)]
pub struct Replays {
    database: PgConnectOptions,
    broker: BrokerUrl,
    shutdown: CancellationToken,
    last: Arc<Mutex<Option<Progress>>>,
}

impl Replays {
    /// None so far.
    pub fn new(
        database: &PgConnectOptions,
        broker: BrokerUrl,
        shutdown: CancellationToken,
    ) -> Self {
        Self { database: database.clone(), broker, shutdown, last: Arc::default() }
    }

    /// How far the last one has come; none before any.
    pub fn progress(&self) -> Option<Progress> {
        self.lock().clone()
    }

    /// Begins one, unless one is running; returns how far whichever runs has come.
    ///
    /// # Errors
    /// The one that is running.
    pub fn begin(&self, stretch: Stretch) -> Result<Progress, Progress> {
        let mut last = self.lock();
        if let Some(running) = last.as_ref().filter(|last| last.state == State::Running) {
            return Err(running.clone());
        }
        let begun = Progress { stretch, state: State::Running, published: 0, error: None };
        *last = Some(begun.clone());
        tokio::spawn(self.clone().run(stretch));
        Ok(begun)
    }

    async fn run(self, stretch: Stretch) {
        info!("publishing again: {stretch:?}");
        let replays = self.clone();
        // In a task of its own, so that whatever happens, its end is noted.
        let replaying = tokio::spawn(async move {
            let replaying = replays.replay(stretch);
            replays.shutdown.run_until_cancelled(replaying).await
        });
        let outcome = match replaying.await {
            Ok(ended) => ended.unwrap_or_else(|| bail!("the service is stopping")),
            Err(_) => Err(anyhow!("it panicked")),
        };
        self.note(|progress| match outcome {
            Ok(()) => progress.state = State::Done,
            Err(error) => {
                progress.state = State::Failed;
                progress.error = Some(format!("{error:#}"));
            }
        });
        if let Some(Progress { published, error, .. }) = self.progress() {
            match error {
                None => info!("published {published} events again"),
                Some(error) => warn!("gave up after {published} events published again: {error}"),
            }
        }
    }

    async fn replay(&self, stretch: Stretch) -> anyhow::Result<()> {
        let options = postgres::named(&self.database, NAME).options([("statement_timeout", "60s")]);
        let mut database = in_time(PgConnection::connect_with(&options))
            .await
            .context("cannot reach the database")?;
        let broker = amqp::connect(&self.broker, NAME, amqp::Limits::NONE)
            .await
            .context("cannot reach the broker")?;
        let channel = amqp::in_time(async {
            let channel = broker.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok(channel)
        })
        .await?;
        amqp::declare(&channel, &topology(&Topic::ALL)).await?;
        self.publish_all(&mut database, &channel, stretch).await?;
        let _ = broker.close(200, "bye".into()).await;
        let _ = database.close().await;
        Ok(())
    }

    /// Publishes page by page, as fast as the broker takes it: one statement for all
    /// would keep PostgreSQL from cleaning up what orders rewrite meanwhile.
    async fn publish_all(
        &self,
        database: &mut PgConnection,
        channel: &Channel,
        stretch: Stretch,
    ) -> anyhow::Result<()> {
        let mut after = stretch.from.map(|from| lowest_event_id(from - SLACK)).unwrap_or_default();
        loop {
            let page = page(database, stretch, after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            let confirmed = publish(channel, &page, None).await?.confirmed.len();
            self.note(|progress| progress.published += confirmed as i64);
            OUTBOX_REPLAYED.add(confirmed);
            ensure!(
                confirmed == page.len(),
                "the broker has not taken {} events, or has no queue for them",
                page.len() - confirmed
            );
        }
    }

    fn note(&self, change: impl FnOnce(&mut Progress)) {
        self.lock().as_mut().map(change);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Progress>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next events of a stretch, by their ids.
async fn page(
    database: &mut PgConnection,
    Stretch { from, to, topic }: Stretch,
    after: Uuid,
) -> anyhow::Result<Vec<Pending>> {
    let before = to.map(|to| lowest_event_id(to + SLACK)).unwrap_or(Uuid::max());
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

/// Waits for the database, but not for ever.
async fn in_time<T>(work: impl Future<Output = sqlx::Result<T>>) -> anyhow::Result<T> {
    let done = timeout(DATABASE_DEADLINE, work).await;
    Ok(done.with_context(|| format!("no answer within {DATABASE_DEADLINE:?}"))??)
}
