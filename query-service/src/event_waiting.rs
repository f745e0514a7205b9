//! Lets requests wait until events are applied to the views.
//!
//! All waiting requests share one statement. It runs when a request begins to wait, and when
//! the consumer service notifies of a committed batch (NOTIFY). Replicas receive no
//! notifications and are polled every few milliseconds while requests wait.

use chrono::{DateTime, Utc};
use service_runtime::postgres;
use service_runtime::problem::Problem;
use service_runtime::retry::Backoff;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};
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

/// Deadline of a statement.
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
    waiters: mpsc::Sender<Waiter>,
}

/// A waiting request.
#[derive(Debug)]
struct Waiter {
    event_id: Uuid,
    until: Instant,
    result: oneshot::Sender<Result<EventState, Problem>>,
}

impl EventWaiting {
    /// Returns the handle for requests, and the future that reads the states of their events
    /// until shutdown.
    pub fn watch(
        pool: &PgPool,
        shutdown: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + use<>) {
        let (waiters, arriving) = mpsc::channel(MAX_WAITING);
        let (sender, notifications) = watch::channel(false);
        let listening = listen(pool.clone(), sender, shutdown.clone());
        let releasing = release(pool.clone(), arriving, notifications);
        let tasks = async move {
            tokio::join!(listening, shutdown.run_until_cancelled(releasing));
        };
        (Self { permits: Arc::new(Semaphore::new(MAX_WAITING)), waiters }, tasks)
    }

    /// Waits until the views show an event, or until the given time.
    ///
    /// # Errors
    /// 503 if the database is not reachable, or too many requests wait.
    pub async fn wait(&self, event_id: Uuid, until: Instant) -> Result<EventState, Problem> {
        let _permit = self.permits.try_acquire().map_err(|_| {
            Problem::unavailable("Service busy")
                .detail("Too many requests wait for their events. Try again, or without `after`.")
        })?;
        let (result, state) = oneshot::channel();
        let waiter = Waiter { event_id, until, result };
        self.waiters.send(waiter).await.map_err(|_| Problem::stopping())?;
        state.await.map_err(|_| Problem::stopping())?
    }
}

/// Releases waiting requests. `notifications` changes with each notification, and is false
/// while none can be received.
async fn release(
    pool: PgPool,
    mut arriving: mpsc::Receiver<Waiter>,
    mut notifications: watch::Receiver<bool>,
) {
    let mut waiting: Vec<Waiter> = Vec::new();
    loop {
        let interval = match *notifications.borrow() {
            true => POLL_WITH_NOTIFICATIONS,
            false => POLL_WITHOUT_NOTIFICATIONS,
        };
        let deadlines = waiting.iter().map(|waiter| waiter.until);
        let next_poll = deadlines.fold(Instant::now() + interval, Instant::min);
        let is_waiting = !waiting.is_empty();
        tokio::select! {
            arrived = arriving.recv_many(&mut waiting, MAX_WAITING) => {
                if arrived == 0 {
                    return;
                }
            }
            changed = notifications.changed(), if is_waiting => {
                if changed.is_err() {
                    return;
                }
            }
            () = sleep_until(next_poll), if is_waiting => {}
        }
        // A notification during the statement causes another one.
        notifications.mark_unchanged();
        // Drop requests whose client has disconnected.
        waiting.retain(|waiter| !waiter.result.is_closed());
        let event_ids: Vec<Uuid> = waiting.iter().map(|waiter| waiter.event_id).collect();
        let found = postgres::in_time(DEADLINE, states(&pool, &event_ids)).await;
        let found = found.map_err(Problem::from);
        for waiter in mem::take(&mut waiting) {
            let state = found
                .as_ref()
                .map_err(Problem::clone)
                .map(|found| found.get(&waiter.event_id).copied().unwrap_or(EventState::Pending));
            if matches!(state, Ok(EventState::Pending)) && waiter.until > Instant::now() {
                waiting.push(waiter);
            } else {
                let _ = waiter.result.send(state);
            }
        }
    }
}

/// The states of events that are not pending.
async fn states(pool: &PgPool, event_ids: &[Uuid]) -> sqlx::Result<HashMap<Uuid, EventState>> {
    let rows = sqlx::query_file!("src/event_states.sql", event_ids).fetch_all(pool).await?;
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
