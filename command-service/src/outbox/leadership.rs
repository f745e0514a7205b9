//! Leader election: one active publisher for all command services.
//!
//! Leadership is a session-level advisory lock. The same connection reads and marks events, so a
//! leader that loses its connection loses the lock and can no longer mark events. TCP keepalives
//! end the session of a leader whose machine has disappeared. A proxy in between can answer
//! keepalives after it has lost the leader, so a session that is idle for 30 s ends as well.

use service_runtime::postgres;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

/// Key of the lock; nothing else in the database uses it.
const LOCK: i64 = 0x6f75_7462_6f78; // "outbox"

/// Connects, with keepalives that detect a dead peer within about 10 seconds.
pub async fn connect(database: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    let options = postgres::named(database, "command-service publisher")
        .options(postgres::INDEX_SCANS_ONLY)
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

/// Acquires leadership if there is no leader.
pub async fn try_acquire(connection: &mut PgConnection) -> sqlx::Result<bool> {
    // Waiting for the lock would hold a snapshot, which keeps VACUUM from removing rows.
    sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "acquired!""#, LOCK)
        .fetch_one(connection)
        .await
}
