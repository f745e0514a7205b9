//! Lets requests wait until events are applied to the views.
//!
//! All waiting requests share one statement. It runs when a request begins to wait, and when
//! the consumer service notifies of a committed batch (NOTIFY). Replicas receive no
//! notifications and are polled every few milliseconds while requests wait.

use chrono::{DateTime, Utc};
use service_runtime::problem::Problem;
use service_runtime::retry::Backoff;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
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

#[derive(Debug)]
struct Waiter {
    event_id: Uuid,
    until: Instant,
    result: oneshot::Sender<Result<EventState, Problem>>,
}

/// The task that watches the database.
struct Watch {
    pool: PgPool,
    notifications: Arc<Notifications>,
    waiting: Vec<Waiter>,
}

/// Notifications of the consumer service.
#[derive(Debug, Default)]
struct Notifications {
    received: Notify,
    is_listening: AtomicBool,
}

impl EventWaiting {
    /// Returns the handle for requests, and the future that watches the database until
    /// shutdown.
    pub fn watch(
        pool: &PgPool,
        shutdown: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + use<>) {
        let (waiters, incoming) = mpsc::channel(MAX_WAITING);
        let notifications = Arc::new(Notifications::default());
        let watch =
            Watch { pool: pool.clone(), notifications: notifications.clone(), waiting: Vec::new() };
        let listening = listen(pool.clone(), notifications, shutdown.clone());
        let tasks = async move {
            let watching = shutdown.run_until_cancelled(watch.run(incoming));
            tokio::join!(listening, watching);
        };
        (Self { permits: Arc::new(Semaphore::new(MAX_WAITING)), waiters }, tasks)
    }

    /// Waits until the views show an event, or until the given time.
    ///
    /// # Errors
    /// 503 if the database is not reachable, or too many requests wait.
    pub async fn wait(&self, event_id: Uuid, until: Instant) -> Result<EventState, Problem> {
        let busy = || {
            Problem::unavailable("Service busy").detail("Too many requests wait for their events.")
        };
        let _permit = self.permits.try_acquire().map_err(|_| busy())?;
        let (result, state) = oneshot::channel();
        self.waiters.try_send(Waiter { event_id, until, result }).map_err(|_| busy())?;
        state.await.unwrap_or_else(|_| {
            Err(Problem::unavailable("Service unavailable").detail("The service is stopping."))
        })
    }
}

impl Watch {
    async fn run(mut self, mut incoming: mpsc::Receiver<Waiter>) {
        loop {
            let free = MAX_WAITING - self.waiting.len().min(MAX_WAITING);
            let is_waiting = !self.waiting.is_empty();
            let (notifications, next_poll) = (self.notifications.clone(), self.next_poll());
            tokio::select! {
                arrived = incoming.recv_many(&mut self.waiting, free), if free > 0 => {
                    if arrived == 0 {
                        return;
                    }
                }
                () = notifications.received.notified(), if is_waiting => {}
                () = sleep_until(next_poll), if is_waiting => {}
            }
            self.poll().await;
        }
    }

    /// The time of the next poll without a notification.
    fn next_poll(&self) -> Instant {
        let is_listening = self.notifications.is_listening.load(Ordering::Relaxed);
        let poll = Instant::now()
            + if is_listening { POLL_WITH_NOTIFICATIONS } else { POLL_WITHOUT_NOTIFICATIONS };
        self.waiting.iter().map(|waiter| waiter.until).fold(poll, Instant::min)
    }

    /// Reads the states of all awaited events, and releases the requests that need not wait
    /// any longer.
    async fn poll(&mut self) {
        // Drop requests whose client has disconnected.
        self.waiting.retain(|waiter| !waiter.result.is_closed());
        let reading = event_states(&self.pool, self.waiting.iter().map(|waiter| waiter.event_id));
        let found = timeout(DEADLINE, reading).await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        let found = found.map_err(Problem::from);
        let now = Instant::now();
        for waiter in std::mem::take(&mut self.waiting) {
            let result = match &found {
                Err(problem) => Err(problem.clone()),
                Ok(found) => {
                    Ok(found.get(&waiter.event_id).copied().unwrap_or(EventState::Pending))
                }
            };
            if matches!(result, Ok(EventState::Pending)) && waiter.until > now {
                self.waiting.push(waiter);
            } else {
                let _ = waiter.result.send(result);
            }
        }
    }
}

/// The states of events that are not pending.
async fn event_states(
    pool: &PgPool,
    event_ids: impl Iterator<Item = Uuid>,
) -> sqlx::Result<HashMap<Uuid, EventState>> {
    let event_ids: Vec<Uuid> = event_ids.collect();
    if event_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query_file!("src/event_states.sql", &event_ids).fetch_all(pool).await?;
    let state = |is_applied| match is_applied {
        true => EventState::Applied,
        false => EventState::DeadLetter,
    };
    Ok(rows.into_iter().map(|row| (row.event_id, state(row.is_applied))).collect())
}

/// Listens for notifications until shutdown, and reconnects when needed.
async fn listen(pool: PgPool, notifications: Arc<Notifications>, shutdown: CancellationToken) {
    let mut backoff = Backoff::default();
    let mut failing_since: Option<DateTime<Utc>> = None;
    loop {
        let listening = listen_once(&pool, &notifications, &mut backoff);
        let Some(ended) = shutdown.run_until_cancelled(listening).await else { return };
        notifications.is_listening.store(false, Ordering::Relaxed);
        notifications.received.notify_one();
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
    notifications: &Notifications,
    backoff: &mut Backoff,
) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    backoff.reset();
    loop {
        notifications.is_listening.store(true, Ordering::Relaxed);
        notifications.received.notify_one();
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
