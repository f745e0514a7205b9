//! Lets requests wait until events are applied to the views.
//!
//! A request looks its event up when it begins to wait, and when the consumer service notifies
//! of a committed batch (NOTIFY). Replicas receive no notifications and are polled every few
//! milliseconds while requests wait. Waiting requests share statements: see [`Lookup`].

use crate::lookup::Lookup;
use chrono::{DateTime, Utc};
use service_runtime::problem::Problem;
use service_runtime::retry::Backoff;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};
use uuid::Uuid;

/// The channel on which the consumer service notifies of batches.
const CHANNEL: &str = "events_applied";

/// Poll interval without notifications.
const POLL_WITHOUT_NOTIFICATIONS: Duration = Duration::from_millis(20);

/// Poll interval with notifications, in case one is lost.
const POLL_WITH_NOTIFICATIONS: Duration = Duration::from_secs(1);

/// After this time without notifications the listening connection is checked.
const SILENCE: Duration = Duration::from_secs(10);

/// Deadline of the check of the listening connection.
const DEADLINE: Duration = Duration::from_secs(5);

/// Limit of waiting requests. Further requests are refused with 503.
const MAX_WAITING: usize = 1_000;

/// The state of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventState {
    /// The views show it.
    Applied,
    /// It could not be applied.
    DeadLetter,
    /// The views do not show it yet.
    Pending,
}

/// Lets requests wait for events.
#[derive(Clone, Debug)]
pub struct EventWaiting {
    permits: Arc<Semaphore>,
    states: Lookup<Uuid, EventState>,
    /// Changes with each notification. False while none can be received; closed by the shutdown.
    notifications: watch::Receiver<bool>,
}

impl EventWaiting {
    /// Returns the handle for requests, and the future that listens for notifications until
    /// shutdown.
    pub fn watch(
        pool: &PgPool,
        shutdown: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + use<>) {
        let (sender, notifications) = watch::channel(false);
        let permits = Arc::new(Semaphore::new(MAX_WAITING));
        let waiting = Self { permits, states: Lookup::new(pool, states), notifications };
        (waiting, listen(pool.clone(), sender, shutdown))
    }

    /// Waits until the views show an event, or until the given time.
    ///
    /// # Errors
    /// 503 if the database is not reachable, or too many requests wait.
    pub async fn wait(&self, event_id: Uuid, until: Instant) -> Result<EventState, Problem> {
        let _permit = self.permits.try_acquire().map_err(|_| {
            Problem::unavailable("Service busy").detail("Too many requests wait for their events.")
        })?;
        let mut notifications = self.notifications.clone();
        loop {
            let is_listening = *notifications.borrow_and_update();
            let state = self.states.get(event_id).await?.unwrap_or(EventState::Pending);
            if state != EventState::Pending || Instant::now() >= until {
                return Ok(state);
            }
            let next_poll = Instant::now() + time_to_next_poll(is_listening);
            if let Ok(Err(_)) = timeout_at(next_poll.min(until), notifications.changed()).await {
                return Err(Problem::stopping());
            }
        }
    }
}

/// All requests poll at the same times, so that they share statements.
fn time_to_next_poll(is_listening: bool) -> Duration {
    let interval = if is_listening { POLL_WITH_NOTIFICATIONS } else { POLL_WITHOUT_NOTIFICATIONS };
    let micros = interval.as_micros() as u64;
    let since_last_poll = u64::from(Utc::now().timestamp_subsec_micros()) % micros;
    Duration::from_micros(micros - since_last_poll)
}

/// The states of events that are not pending.
async fn states(pool: PgPool, event_ids: Vec<Uuid>) -> sqlx::Result<HashMap<Uuid, EventState>> {
    let rows = sqlx::query_file!("src/event_states.sql", &event_ids).fetch_all(&pool).await?;
    let state = |is_applied| match is_applied {
        true => EventState::Applied,
        false => EventState::DeadLetter,
    };
    Ok(rows.into_iter().map(|row| (row.event_id, state(row.is_applied))).collect())
}

/// Listens for notifications until shutdown, and reconnects when needed.
async fn listen(pool: PgPool, notifications: watch::Sender<bool>, shutdown: CancellationToken) {
    let mut backoff = Backoff::default();
    let mut failing_since: Option<DateTime<Utc>> = None;
    loop {
        let listening = listen_once(&pool, &notifications, &mut backoff);
        let Some(ended) = shutdown.run_until_cancelled(listening).await else { return };
        notifications.send_replace(false);
        if let Err(error) = ended {
            match failing_since {
                None => info!("no notifications of new events, polling instead: {error}"),
                Some(since) => debug!("no notifications of new events since {since}: {error}"),
            }
            failing_since.get_or_insert_with(Utc::now);
        } else {
            failing_since = None;
        }
        if !backoff.wait(&shutdown).await {
            return;
        }
    }
}

/// Listens until the connection breaks.
async fn listen_once(
    pool: &PgPool,
    notifications: &watch::Sender<bool>,
    backoff: &mut Backoff,
) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    backoff.reset();
    loop {
        notifications.send_replace(true);
        match timeout(SILENCE, listener.try_recv()).await {
            Ok(notification) => {
                // None: the connection was lost.
                if notification?.is_none() {
                    return Ok(());
                }
            }
            // A connection that a router dropped causes no error by itself.
            Err(_) => {
                let checking = sqlx::query("SELECT").execute(&mut listener);
                timeout(DEADLINE, checking).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
            }
        }
    }
}
