//! PostgreSQL: pools, migrations, and databases that are away for a while.

use crate::clock::Clock;
use crate::health::Reporter;
use crate::metrics::pools;
use crate::retry::Pauses;
use anyhow::Context;
use chrono::{DateTime, Utc};
use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool, Postgres};
use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

pub use crate::database_failure::{
    Failure, for_log, is_absence, is_cancelled, is_contention, is_no_answer, log,
    may_have_committed, no_answer, report, sqlstate,
};

/// How long a request waits for a connection before it is told 503.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection that does not answer a ping by then is given up; there is time for a
/// new one within [`ACQUIRE_TIMEOUT`].
const PING_DEADLINE: Duration = Duration::from_secs(1);

/// A connection that was not used for longer may have died meanwhile.
const RESTED: Duration = Duration::from_millis(1);

/// How often a database that answers is asked whether it still does.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// With a slower response the clock comparison is too inaccurate.
const CLOCK_ROUND_TRIP: Duration = Duration::from_secs(1);

/// Options of connections whose statements are given arrays of keys, and find
/// every row by its key.
///
/// The planner cannot know how many keys there will be, and what it knows of a
/// table may be a minute old: right after the first few rows came it takes reading
/// all of them, once for each key, for the cheapest plan, and keeps it while
/// thousands follow. So no plan but the one by keys is left to it: tables are not
/// read whole, nor is an index instead of its table; joins are written as
/// `key = ANY (ARRAY[…])`, which only an index can serve, and only from the side
/// that has the keys. With one plan left, planning for each execution would be for
/// nothing.
pub const KEY_BY_KEY: [(&str, &str); 4] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_indexonlyscan", "off"),
    ("jit", "off"),
];

/// A pool that connects when first used, so that a service starts without its
/// database. Its connections are to be [`named`].
///
/// A connection that has rested is asked whether it is well before it is used, and one
/// that is given back, too, both with a deadline. sqlx by itself would ask each time,
/// and wait for the answer as long as it takes: if a database was lost on the way
/// without a word, for a quarter of an hour.
pub fn pool(options: PgConnectOptions, connections: u32) -> PgPool {
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, met| {
            let has_rested = met.idle_for >= RESTED;
            Box::pin(async move { if has_rested { is_well(connection).await } else { Ok(true) } })
        })
        .after_release(|connection, _| Box::pin(is_well(connection)))
        .connect_lazy_with(options);
    pools::watch(pool.clone());
    pool
}

async fn is_well(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let answer = tokio::time::timeout(PING_DEADLINE, connection.ping()).await;
    answer.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
}

/// A connection of a pool for one transaction. It is closed when dropped, unless the
/// transaction is [done](Self::done).
///
/// If the future of a transaction is cancelled between BEGIN and its response, the
/// connection returns to the pool with the transaction open, and the writes of its next
/// user are lost (transact-rs/sqlx#4385).
#[derive(Debug)]
pub struct TransactionConnection {
    connection: PoolConnection<Postgres>,
    is_done: bool,
}

impl TransactionConnection {
    /// Takes a connection from the pool.
    ///
    /// # Errors
    /// If there is none in time.
    pub async fn acquire(pool: &PgPool) -> sqlx::Result<Self> {
        Ok(Self { connection: pool.acquire().await?, is_done: false })
    }

    /// The transaction was committed or rolled back: the connection returns to the pool.
    pub fn done(mut self) {
        self.is_done = true;
    }
}

impl Deref for TransactionConnection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for TransactionConnection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl Drop for TransactionConnection {
    fn drop(&mut self) {
        if !self.is_done {
            self.connection.close_on_drop();
        }
    }
}

/// Connection options under a name seen in `pg_stat_activity`, with limits that no
/// mishap can outlast: a transaction left open, or a lock that somebody else does
/// not give back.
pub fn named(options: &PgConnectOptions, name: &str) -> PgConnectOptions {
    options
        .clone()
        .application_name(name)
        .options([("idle_in_transaction_session_timeout", "10s"), ("lock_timeout", "5s")])
        .log_slow_statements(tracing::log::LevelFilter::Warn, Duration::from_secs(1))
}

/// Message for a database that was created before the present schema.
const OUTDATED: &str = "cannot migrate: this database was created by a version before the \
    present schema, and its data cannot be migrated. Start with empty databases: \
    `docker compose down -v` with Docker Compose; with `cargo stack up`, delete its data folder";

/// Message for a database that a newer version has migrated.
const NEWER: &str = "cannot migrate: a newer version has migrated this database. Start a service \
    of that version";

/// Applies what is missing of the migrations, as soon as the database is
/// there. Several processes may do so at once: sqlx takes a lock.
///
/// Returns false if the shutdown came first.
pub async fn migrate(
    options: &PgConnectOptions,
    migrator: &Migrator,
    reporter: &Reporter,
    shutdown: &CancellationToken,
) -> bool {
    let mut pauses = Pauses::default();
    loop {
        match migrate_once(options, migrator).await {
            Ok(()) => return true,
            Err(error) => reporter.down(format!("{error:#}")),
        }
        if !pauses.pause(shutdown).await {
            return false;
        }
    }
}

async fn migrate_once(options: &PgConnectOptions, migrator: &Migrator) -> anyhow::Result<()> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // Overrides settings of the database or the role.
        .connect_with(named(options, "migrations").options([("search_path", "public")]))
        .await
        .context("cannot connect")?;
    if let Err(error) = migrator.run(&pool).await {
        let why = match error {
            MigrateError::VersionMismatch(_) => OUTDATED,
            MigrateError::VersionMissing(_) if differs(&pool, migrator).await? => OUTDATED,
            MigrateError::VersionMissing(_) => NEWER,
            _ => "cannot migrate",
        };
        return Err(anyhow::Error::new(error).context(why));
    }
    pool.close().await;
    Ok(())
}

/// Whether an applied migration differs from this version's.
async fn differs(pool: &PgPool, migrator: &Migrator) -> anyhow::Result<bool> {
    let mut connection = pool.acquire().await?;
    let applied = connection.list_applied_migrations(&migrator.table_name).await?;
    let is_ours = |version, checksum: &[u8]| {
        migrator.iter().all(|own| own.version != version || *own.checksum == *checksum)
    };
    Ok(!applied.iter().all(|applied| is_ours(applied.version, &applied.checksum)))
}

/// Reports the health of a database until shutdown, and compares its clock with that of
/// this process. The database is healthy when the statement `probe` succeeds. The probe
/// has a connection of its own: a pool whose connections are all in use does not make the
/// database unhealthy.
pub async fn watch(
    options: PgConnectOptions,
    probe: &'static str,
    reporter: Reporter,
    clock: Clock,
    shutdown: CancellationToken,
) {
    let options = named(&options, "health");
    let mut connection = None;
    loop {
        let asking = ask(&options, &mut connection, probe, &clock);
        let answer = tokio::time::timeout(ACQUIRE_TIMEOUT, asking).await;
        match &answer {
            Ok(Ok(())) => reporter.up(),
            Ok(Err(error)) if Failure::of(error) == Failure::NotMigrated => {
                reporter.down("not migrated yet");
            }
            Ok(Err(error)) => reporter.down(error),
            Err(_) => reporter.down("no answer within 3 s"),
        }
        if !matches!(answer, Ok(Ok(()))) {
            // It may be dead, or hang: the next question goes by a new one.
            connection = None;
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(PROBE_INTERVAL)).await.is_none() {
            return;
        }
    }
}

async fn ask(
    options: &PgConnectOptions,
    connection: &mut Option<PgConnection>,
    probe: &'static str,
    clock: &Clock,
) -> sqlx::Result<()> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(PgConnection::connect_with(options).await?),
    };
    sqlx::query(probe).execute(&mut *connection).await?;
    let (began, started) = (Utc::now(), Instant::now());
    let theirs: DateTime<Utc> =
        sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(connection).await?;
    let round_trip = started.elapsed();
    // The clock was read about halfway through the round trip.
    if round_trip < CLOCK_ROUND_TRIP || !clock.is_known() {
        clock.compared(began + round_trip / 2, started + round_trip / 2, theirs);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn who_takes_the_connection_and_hangs_up_is_away() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let hanging_up = async {
            let (mut client, _) = listener.accept().await.unwrap();
            // Read what was sent, else the end would be an error of its own sort.
            client.read_exact(&mut [0; 8]).await.unwrap();
        };
        let options = PgConnectOptions::new().host("127.0.0.1").port(port);
        let (connected, ()) = tokio::join!(PgConnection::connect_with(&options), hanging_up);
        let error = connected.err().unwrap();
        assert!(is_absence(&error), "{error}");
    }
}
