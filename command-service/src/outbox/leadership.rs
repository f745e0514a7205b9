//! One active publisher among all command services.
//!
//! Leadership is a session-level advisory lock, held by the connection that
//! also fetches and marks: whoever loses the connection loses the lock with
//! it, and cannot go on marking. A leader whose machine vanished would hold
//! the lock for hours, so its connection is checked by TCP keepalives. They are
//! answered by whatever stands in between, a proxy say, that has lost the leader
//! and not told the server; so a leader that asks nothing for 30 s is deposed, too.

use service_runtime::postgres;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

/// Names the lock; any constant that nothing else in the database uses.
const LOCK: i64 = 0x6f75_7462_6f78; // "outbox"

/// Connects, with keepalives that notice a dead peer within some 10 seconds.
pub async fn connect(database: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    let options = postgres::named(database, "command-service publisher")
        .options(postgres::KEY_BY_KEY)
        .options([
            ("tcp_keepalives_idle", "5"),
            ("tcp_keepalives_interval", "2"),
            ("tcp_keepalives_count", "3"),
            ("tcp_user_timeout", "10000"),
            // A leader runs a statement every second.
            ("idle_session_timeout", "30s"),
            // A lock on the rows of one topic must not delay the others.
            ("lock_timeout", "1s"),
            ("statement_timeout", "30s"),
        ]);
    PgConnection::connect_with(&options).await
}

/// Becomes the leader, if there is none.
pub async fn try_acquire(connection: &mut PgConnection) -> sqlx::Result<bool> {
    // Tried, not waited for: a waiting session would hold a snapshot, and keep
    // VACUUM from cleaning up.
    sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "acquired!""#, LOCK)
        .fetch_one(connection)
        .await
}
