//! Refuses connection poolers that are not in session mode.
//!
//! The services use prepared statements, `LISTEN` and advisory locks of the session. A
//! pooler in transaction mode breaks them, the last without an error: two publishers can
//! lead at once, and a leader's lock outlives it.

use crate::health::Reporter;
use crate::postgres::named;
use crate::retry::Pauses;
use anyhow::{Context, bail};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Executor, PgConnection, Row};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(3);

/// Waits until the database is up and each connection has a session of its own; reports
/// the reason meanwhile.
///
/// Returns false if the shutdown came first.
pub async fn wait_for(
    options: &PgConnectOptions,
    reporter: &Reporter,
    shutdown: &CancellationToken,
) -> bool {
    let options = named(options, "sessions");
    let mut pauses = Pauses::default();
    loop {
        let checking = tokio::time::timeout(DEADLINE, check(&options));
        match checking.await.unwrap_or_else(|_| bail!("no answer within 3 s")) {
            Ok(()) => return true,
            Err(error) => reporter.down(format!("{error:#}")),
        }
        if !pauses.pause(shutdown).await {
            return false;
        }
    }
}

/// Of two open connections, both idle, a pooler in transaction mode gives the second one
/// the server's session that the first one has just used.
async fn check(options: &PgConnectOptions) -> anyhow::Result<()> {
    let mut first = PgConnection::connect_with(options).await.context("cannot connect")?;
    let mut second = PgConnection::connect_with(options).await.context("cannot connect")?;
    let sessions = [session(&mut first).await?, session(&mut second).await?];
    if sessions[0] == sessions[1] || sessions[0] != session(&mut first).await? {
        bail!("the connection pooler must be in session mode: see docs/production.md");
    }
    first.close().await?;
    second.close().await?;
    Ok(())
}

/// Not a prepared statement, which such a pooler can lose.
async fn session(connection: &mut PgConnection) -> sqlx::Result<i32> {
    let row = connection.fetch_one(sqlx::raw_sql("SELECT pg_backend_pid()")).await?;
    row.try_get(0)
}
