//! Waiting for events to be in the views.
//!
//! All who wait share one statement, which is run when somebody new comes, and when
//! the consumer service tells that it has committed a batch (NOTIFY). A replica cannot
//! be told; it looks every few milliseconds, as long as somebody waits.

use chrono::{DateTime, Utc};
use service_runtime::problem::Problem;
use service_runtime::retry::Pauses;
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

/// The channel by which the consumer service tells of batches.
const CHANNEL: &str = "events_applied";

/// How often to look while nobody tells.
const POLL_UNTOLD: Duration = Duration::from_millis(20);

/// How often to look while somebody tells: one that was lost costs no more.
const POLL_TOLD: Duration = Duration::from_secs(1);

/// After such a silence the listening connection is asked whether it is well.
const SILENCE: Duration = Duration::from_secs(10);

/// A database that has not answered by then is taken for lost.
const DEADLINE: Duration = Duration::from_secs(5);

/// Most requests that wait at once. More are told to come again.
const MAX_WAITING: usize = 1_000;

/// What is known of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The views show it.
    Shown,
    /// It is a dead letter: they do not, and will not by themselves.
    Parked,
    /// They do not show it yet.
    Awaited,
}

/// Where events are waited for.
#[derive(Clone, Debug)]
pub struct Arrivals {
    places: Arc<Semaphore>,
    waiters: mpsc::Sender<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    event_id: Uuid,
    until: Instant,
    answer: oneshot::Sender<Result<Arrival, Problem>>,
}

/// The other end.
struct Watch {
    pool: PgPool,
    told: Arc<Told>,
    waiting: Vec<Waiter>,
}

/// What the listener knows.
#[derive(Debug, Default)]
struct Told {
    something: Notify,
    is_listening: AtomicBool,
}

impl Arrivals {
    /// The place to wait, and the tasks that watch the database until shutdown.
    pub fn watch(
        pool: &PgPool,
        shutdown: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + use<>) {
        let (waiters, coming) = mpsc::channel(MAX_WAITING);
        let told = Arc::new(Told::default());
        let watch = Watch { pool: pool.clone(), told: told.clone(), waiting: Vec::new() };
        let listening = listen(pool.clone(), told, shutdown.clone());
        let tasks = async move {
            let watching = shutdown.run_until_cancelled(watch.run(coming));
            tokio::join!(listening, watching);
        };
        (Self { places: Arc::new(Semaphore::new(MAX_WAITING)), waiters }, tasks)
    }

    /// Waits until the views show an event, but not past `until`.
    ///
    /// # Errors
    /// 503 if the database is away, or too many wait.
    pub async fn wait(&self, event_id: Uuid, until: Instant) -> Result<Arrival, Problem> {
        let busy = || {
            Problem::unavailable("Service busy").detail("Too many requests wait for their events.")
        };
        let _place = self.places.try_acquire().map_err(|_| busy())?;
        let (answer, arrival) = oneshot::channel();
        self.waiters.try_send(Waiter { event_id, until, answer }).map_err(|_| busy())?;
        arrival.await.unwrap_or_else(|_| {
            Err(Problem::unavailable("Service unavailable").detail("The service is stopping."))
        })
    }
}

impl Watch {
    async fn run(mut self, mut coming: mpsc::Receiver<Waiter>) {
        loop {
            let room = MAX_WAITING - self.waiting.len().min(MAX_WAITING);
            let is_waiting = !self.waiting.is_empty();
            let (told, next_look) = (self.told.clone(), self.next_look());
            tokio::select! {
                arrived = coming.recv_many(&mut self.waiting, room), if room > 0 => {
                    if arrived == 0 {
                        return;
                    }
                }
                () = told.something.notified(), if is_waiting => {}
                () = sleep_until(next_look), if is_waiting => {}
            }
            self.look().await;
        }
    }

    /// When to look if nothing happens.
    fn next_look(&self) -> Instant {
        let is_listening = self.told.is_listening.load(Ordering::Relaxed);
        let poll = Instant::now() + if is_listening { POLL_TOLD } else { POLL_UNTOLD };
        self.waiting.iter().map(|waiter| waiter.until).fold(poll, Instant::min)
    }

    /// Looks for all events that are waited for, and answers those who need not wait
    /// any longer.
    async fn look(&mut self) {
        // Whoever left does not want to know any more.
        self.waiting.retain(|waiter| !waiter.answer.is_closed());
        let looking = arrived(&self.pool, self.waiting.iter().map(|waiter| waiter.event_id));
        let found = timeout(DEADLINE, looking).await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        let found = found.map_err(Problem::from);
        let now = Instant::now();
        for waiter in std::mem::take(&mut self.waiting) {
            let answer = match &found {
                Err(problem) => Err(problem.clone()),
                Ok(found) => Ok(found.get(&waiter.event_id).copied().unwrap_or(Arrival::Awaited)),
            };
            if matches!(answer, Ok(Arrival::Awaited)) && waiter.until > now {
                self.waiting.push(waiter);
            } else {
                let _ = waiter.answer.send(answer);
            }
        }
    }
}

/// Those of the events that have arrived.
async fn arrived(
    pool: &PgPool,
    event_ids: impl Iterator<Item = Uuid>,
) -> sqlx::Result<HashMap<Uuid, Arrival>> {
    let event_ids: Vec<Uuid> = event_ids.collect();
    if event_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query_file!("src/arrivals.sql", &event_ids).fetch_all(pool).await?;
    let arrival = |is_shown| if is_shown { Arrival::Shown } else { Arrival::Parked };
    Ok(rows.into_iter().map(|row| (row.event_id, arrival(row.is_shown))).collect())
}

/// Listens to the consumer service, whatever comes and goes, until shutdown.
async fn listen(pool: PgPool, told: Arc<Told>, shutdown: CancellationToken) {
    let mut pauses = Pauses::default();
    let mut told_why: Option<DateTime<Utc>> = None;
    loop {
        let listening = listen_once(&pool, &told, &mut pauses);
        let Some(ended) = shutdown.run_until_cancelled(listening).await else { return };
        told.is_listening.store(false, Ordering::Relaxed);
        told.something.notify_one();
        if let Err(error) = ended {
            match told_why {
                None => info!("not told of new events, looking for them instead: {error}"),
                Some(since) => debug!("not told of new events since {since}: {error}"),
            }
            told_why.get_or_insert_with(Utc::now);
        } else {
            told_why = None;
        }
        if !pauses.pause(&shutdown).await {
            return;
        }
    }
}

/// Listens until the connection breaks.
async fn listen_once(pool: &PgPool, told: &Told, pauses: &mut Pauses) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    pauses.reset();
    loop {
        told.is_listening.store(true, Ordering::Relaxed);
        told.something.notify_one();
        match timeout(SILENCE, listener.try_recv()).await {
            Ok(told) => {
                // None: the connection was lost.
                if told?.is_none() {
                    return Ok(());
                }
            }
            // Nobody would tell of one that was forgotten on the way.
            Err(_) => {
                let asking = sqlx::query("SELECT").execute(&mut listener);
                timeout(DEADLINE, asking).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
            }
        }
    }
}
