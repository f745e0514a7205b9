//! Leader election: one active task of a kind among all command services.
//!
//! Leadership is a session-level advisory lock. The leader works on the connection that holds the
//! lock, so a leader that loses its connection loses the lock and can no longer change anything.
//! TCP keepalives end the session of a leader whose machine has disappeared. A proxy in between can
//! answer keepalives after it has lost the leader, so a session that is idle for 30 s ends as well.

use service_runtime::postgres;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use std::time::Duration;

/// Interval at which a standby tries to become the leader.
pub const STANDBY_INTERVAL: Duration = Duration::from_secs(1);

/// A kind of task.
#[derive(Clone, Copy, Debug)]
pub enum Task {
    /// Publishes the outbox.
    Publisher,
    /// Cancels unpaid orders.
    Expiry,
}

impl Task {
    /// Key of the lock; nothing else in the database uses it.
    const fn lock(self) -> i64 {
        match self {
            Self::Publisher => 0x6f75_7462_6f78, // "outbox"
            Self::Expiry => 0x6578_7069_7279,    // "expiry"
        }
    }

    /// Name of the connection.
    const fn application_name(self) -> &'static str {
        match self {
            Self::Publisher => "command-service publisher",
            Self::Expiry => "command-service expiry",
        }
    }

    /// A lock on some rows must not delay the work on others.
    const fn lock_timeout(self) -> &'static str {
        match self {
            Self::Publisher => "1s",
            // Only an operator holds a product for longer.
            Self::Expiry => "200ms",
        }
    }

    /// Connects, with keepalives that detect a dead peer within about 10 seconds.
    pub async fn connect(self, database: &PgConnectOptions) -> sqlx::Result<PgConnection> {
        let options = postgres::named(database, self.application_name())
            .options(postgres::INDEX_SCANS_ONLY)
            .options([
                ("tcp_keepalives_idle", "5"),
                ("tcp_keepalives_interval", "2"),
                ("tcp_keepalives_count", "3"),
                ("tcp_user_timeout", "10000"),
                // A leader runs a statement every second.
                ("idle_session_timeout", "30s"),
                ("lock_timeout", self.lock_timeout()),
                ("statement_timeout", "30s"),
            ]);
        PgConnection::connect_with(&options).await
    }

    /// Acquires leadership if there is no leader.
    pub async fn try_acquire(self, connection: &mut PgConnection) -> sqlx::Result<bool> {
        // Waiting for the lock would hold a snapshot, which keeps VACUUM from removing rows.
        sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "acquired!""#, self.lock())
            .fetch_one(connection)
            .await
    }
}
