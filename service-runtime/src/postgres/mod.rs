//! PostgreSQL: connection pools, migrations, health and the meaning of errors.
//!
//! A service starts without its database and continues when it comes back.

mod failure;
mod migrations;
mod probe;
pub mod recovery;
mod session_mode;
mod settings;

pub use failure::{
    Failure, in_time, is_contention, is_timeout, is_unavailable, log, log_text, may_have_committed,
    report, sqlstate, timeout_error,
};
pub use migrations::migrate;
pub use probe::watch;
pub use session_mode::wait_for_sessions;
pub use settings::{DatabaseLogin, parse_url};

use crate::metrics::pools;
use scopeguard::ScopeGuard;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool, Postgres};
use std::time::Duration;

/// How long a request waits for a connection before it gets 503.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection that does not respond to a ping by then is closed. It leaves time for a
/// new one within [`ACQUIRE_TIMEOUT`].
const PING_DEADLINE: Duration = Duration::from_secs(1);

/// A connection that was idle for longer is pinged before use.
const IDLE_WITHOUT_PING: Duration = Duration::from_millis(1);

/// Options of connections whose statements take arrays of keys and find every row by an
/// index on its key.
///
/// The planner does not know the number of keys, and its statistics may be a minute old.
/// After the first few rows it would choose a sequential scan for each key, and keep that
/// plan while thousands of rows follow. So sequential scans and index-only scans are off;
/// statements join by `key = ANY (ARRAY[…])`, which only an index can serve. As one plan
/// remains, it is the generic one: planning each execution would cost time and find the
/// same.
pub const INDEX_SCANS_ONLY: [(&str, &str); 4] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_indexonlyscan", "off"),
    ("jit", "off"),
];

/// Creates a pool that connects on first use. Its options come from [`named`].
///
/// An idle connection is pinged before use, and every connection when it is returned, with
/// a deadline. By default sqlx pings before every use and waits for the response without
/// a deadline: up to 15 minutes if the network drops packets.
pub fn pool(options: PgConnectOptions, connections: u32) -> PgPool {
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, metadata| {
            let needs_ping = metadata.idle_for >= IDLE_WITHOUT_PING;
            Box::pin(async move { if needs_ping { ping(connection).await } else { Ok(true) } })
        })
        .after_release(|connection, _| Box::pin(ping(connection)))
        .connect_lazy_with(options);
    pools::register(pool.clone());
    pool
}

async fn ping(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let response = tokio::time::timeout(PING_DEADLINE, connection.ping()).await;
    response.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
}

/// Connection options with a name, shown in `pg_stat_activity`, and with timeouts for
/// transactions left open and for locks that another session holds.
pub fn named(options: &PgConnectOptions, name: &str) -> PgConnectOptions {
    options
        .clone()
        .application_name(name)
        .options([("idle_in_transaction_session_timeout", "10s"), ("lock_timeout", "5s")])
        .log_slow_statements(tracing::log::LevelFilter::Warn, Duration::from_secs(1))
}

/// A connection of a pool for one transaction. It is closed when dropped, unless the
/// transaction is [`done`].
///
/// If the future of a transaction is cancelled between BEGIN and its response, the
/// connection returns to the pool with the transaction open, and the writes of its next
/// user are lost (transact-rs/sqlx#4385).
pub type TransactionConnection = ScopeGuard<PoolConnection<Postgres>, fn(PoolConnection<Postgres>)>;

/// Takes a connection for one transaction from the pool.
///
/// # Errors
/// If none is free in time.
pub async fn acquire_for_transaction(pool: &PgPool) -> sqlx::Result<TransactionConnection> {
    let close: fn(_) = |mut connection: PoolConnection<Postgres>| connection.close_on_drop();
    Ok(scopeguard::guard(pool.acquire().await?, close))
}

/// Returns the connection to the pool, after a commit or rollback.
pub fn done(connection: TransactionConnection) {
    drop(ScopeGuard::into_inner(connection));
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_server_that_accepts_and_closes_the_connection_is_unavailable() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let accept_and_close = async {
            let (mut client, _) = listener.accept().await.unwrap();
            // Unread data would reset the connection, which is another error.
            client.read_exact(&mut [0; 8]).await.unwrap();
        };
        let options = PgConnectOptions::new().host("127.0.0.1").port(port);
        let (connected, ()) = tokio::join!(PgConnection::connect_with(&options), accept_and_close);
        let error = connected.err().unwrap();
        assert!(is_unavailable(&error), "{error}");
    }
}
