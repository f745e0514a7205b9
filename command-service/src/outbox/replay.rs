//! Publishing a stretch of history again.
//!
//! For when the broker or the read side has lost events: a queue was deleted, a
//! database restored. Rows stay marked as they are; whoever has an event already
//! ignores it. It goes beside the publisher, over connections of its own, so that new
//! events do not wait behind old ones.

use super::queue::{BATCH, Pending};
use super::sending::{publish, topology};
use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use lapin::Channel;
use lapin::options::ConfirmSelectOptions;
use serde::Serialize;
use service_runtime::config::BrokerUrl;
use service_runtime::{amqp, postgres};
use shared_events::Topic;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// The name of its connections.
const NAME: &str = "command-service replay";

/// A stretch of history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stretch {
    /// Events committed then or later; none: from the beginning.
    pub from: Option<DateTime<Utc>>,
    /// Events committed before; none: up to now.
    pub to: Option<DateTime<Utc>>,
    /// Events of this topic; none: of all.
    pub topic: Option<Topic>,
}

/// How far a replay has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    #[serde(flatten)]
    pub stretch: Stretch,
    pub state: State,
    /// Events of the stretch; none while they are being counted.
    pub total: Option<i64>,
    /// Events that the broker has confirmed.
    pub published: i64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a replay is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
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
        let begun =
            Progress { stretch, state: State::Running, total: None, published: 0, error: None };
        *last = Some(begun.clone());
        tokio::spawn(self.clone().run(stretch));
        Ok(begun)
    }

    async fn run(self, stretch: Stretch) {
        info!("publishing again: {stretch:?}");
        let replaying = self.shutdown.run_until_cancelled(self.replay(stretch)).await;
        let outcome = replaying.unwrap_or_else(|| Err(anyhow::anyhow!("the service is stopping")));
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
        let options = postgres::named(&self.database, NAME)
            // As long as it takes; it holds no lock.
            .options([("idle_in_transaction_session_timeout", "0")]);
        let mut database =
            PgConnection::connect_with(&options).await.context("cannot reach the database")?;
        let broker = amqp::connect(&self.broker, NAME).await.context("cannot reach the broker")?;
        let channel = amqp::in_time(async {
            let channel = broker.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok(channel)
        })
        .await?;
        amqp::declare(&channel, &topology()).await?;
        let total = count(&mut database, stretch).await?;
        self.note(|progress| progress.total = Some(total));
        self.publish_all(&mut database, &channel, stretch).await?;
        let _ = broker.close(200, "bye".into()).await;
        let _ = database.close().await;
        Ok(())
    }

    /// Publishes what one statement gives, as fast as the broker takes it.
    async fn publish_all(
        &self,
        database: &mut PgConnection,
        channel: &Channel,
        Stretch { from, to, topic }: Stretch,
    ) -> anyhow::Result<()> {
        let topic = topic.map(Topic::name);
        let mut rows =
            sqlx::query_file_as!(Pending, "src/outbox/replay.sql", from, to, topic).fetch(database);
        loop {
            let mut batch = Vec::with_capacity(BATCH);
            while batch.len() < BATCH
                && let Some(row) = rows.try_next().await?
            {
                batch.push(row);
            }
            if batch.is_empty() {
                return Ok(());
            }
            let confirmed = publish(channel, &batch).await?.len();
            self.note(|progress| progress.published += confirmed as i64);
            ensure!(
                confirmed == batch.len(),
                "the broker has not taken {} events, or has no queue for them",
                batch.len() - confirmed
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

async fn count(database: &mut PgConnection, stretch: Stretch) -> sqlx::Result<i64> {
    let Stretch { from, to, topic } = stretch;
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!"
           FROM outbox
           WHERE published_at IS NOT NULL
               AND ($1::timestamptz IS NULL OR created_at >= $1)
               AND ($2::timestamptz IS NULL OR created_at < $2)
               AND ($3::text IS NULL OR topic = $3)"#,
        from,
        to,
        topic.map(Topic::name),
    )
    .fetch_one(database)
    .await
}
