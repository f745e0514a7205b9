//! Refuses connection poolers that are not in session mode.
//!
//! The services use prepared statements, `LISTEN` and session-level advisory locks. A
//! pooler in transaction mode breaks them, and the locks without an error: a lock outlives
//! its owner, or two processes hold it at once.

use super::named;
use crate::health::DependencyStatus;
use crate::retry::Backoff;
use anyhow::{Context, bail};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Executor, PgConnection, Row};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(3);

/// Waits until the database is reachable and each connection has its own session. Reports
/// the reason meanwhile.
///
/// Returns false after the shutdown.
pub async fn wait_for_sessions(
    options: &PgConnectOptions,
    status: &DependencyStatus,
    shutdown: &CancellationToken,
) -> bool {
    let options = named(options, "sessions");
    let check = || async {
        let check = tokio::time::timeout(DEADLINE, check(&options));
        check.await.unwrap_or_else(|_| bail!("no response within 3 s"))
    };
    Backoff::default().until_success(status, shutdown, check).await.is_some()
}

/// With two idle connections, a pooler in transaction mode gives the second one the server
/// session that the first one has just used.
async fn check(options: &PgConnectOptions) -> anyhow::Result<()> {
    let mut first = PgConnection::connect_with(options).await.context("cannot connect")?;
    let mut second = PgConnection::connect_with(options).await.context("cannot connect")?;
    let sessions = [session_id(&mut first).await?, session_id(&mut second).await?];
    if sessions[0] == sessions[1] || sessions[0] != session_id(&mut first).await? {
        bail!("the connection pooler must be in session mode: see docs/production.md");
    }
    first.close().await?;
    second.close().await?;
    Ok(())
}

/// Not a prepared statement, because a pooler in transaction mode can lose it.
async fn session_id(connection: &mut PgConnection) -> sqlx::Result<i32> {
    let row = connection.fetch_one(sqlx::raw_sql("SELECT pg_backend_pid()")).await?;
    row.try_get(0)
}
