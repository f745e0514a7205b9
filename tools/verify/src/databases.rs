//! Connections to the two databases, each reading a snapshot.

use anyhow::{Context, Result, bail};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use std::time::Duration;
use tokio::time::timeout;

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Read-only sessions without timeouts, because verifying millions of orders takes long.
/// Sorting them needs more memory than a request.
const SETTINGS: [(&str, &str); 6] = [
    ("default_transaction_read_only", "on"),
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("TimeZone", "UTC"),
    ("work_mem", "64MB"),
];

/// Descriptions of failures.
const READ: &str = "cannot take a snapshot of the read database";
const WRITE: &str = "cannot take a snapshot of the write database";

/// A connection to each database.
#[derive(Debug)]
pub struct Databases {
    /// To the write database.
    pub write: PgConnection,
    /// To the read database.
    pub read: PgConnection,
    has_snapshots: bool,
}

impl Databases {
    /// Connects to both.
    pub async fn connect(write: PgConnectOptions, read: PgConnectOptions) -> Result<Self> {
        Ok(Self {
            write: connect(write, "write", "--database-url").await?,
            read: connect(read, "read", "--read-database-url").await?,
            has_snapshots: false,
        })
    }

    /// Takes new snapshots: of the read database first, because its content was committed in
    /// the write database before.
    pub async fn take_snapshots(&mut self) -> Result<()> {
        if self.has_snapshots {
            sqlx::raw_sql("ROLLBACK").execute(&mut self.read).await.context(READ)?;
            sqlx::raw_sql("ROLLBACK").execute(&mut self.write).await.context(WRITE)?;
        }
        self.has_snapshots = true;
        take_snapshot(&mut self.read).await.context(READ)?;
        take_snapshot(&mut self.write).await.context(WRITE)
    }
}

async fn connect(options: PgConnectOptions, name: &str, flag: &str) -> Result<PgConnection> {
    let place = format!("{}:{}", options.get_host(), options.get_port());
    let hint = format!(
        "cannot reach the {name} database at {place} (is the stack up? {flag} names another one)"
    );
    let options = options.application_name("verify").options(SETTINGS);
    match timeout(CONNECT_TIMEOUT, options.connect()).await {
        Ok(connection) => connection.context(hint),
        Err(_) => bail!("{hint}: no response within {} s", CONNECT_TIMEOUT.as_secs()),
    }
}

/// Adds to an error what failed, and a hint if a table is missing: each service creates its
/// tables at its first start.
pub fn failure(error: sqlx::Error, doing: &str) -> anyhow::Error {
    // https://www.postgresql.org/docs/current/errcodes-appendix.html
    let unknown = |code: &str| ["42P01", "42703", "3F000"].contains(&code);
    let code = error.as_database_error().and_then(|error| error.code());
    let hint = match code {
        Some(code) if unknown(&code) => " (is it migrated? The services migrate at start)",
        _ => "",
    };
    anyhow::Error::new(error).context(format!("{doing}{hint}"))
}

async fn take_snapshot(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .execute(&mut *connection)
        .await?;
    // BEGIN takes no snapshot; the first statement that needs one does.
    sqlx::raw_sql("SELECT pg_current_snapshot()").execute(connection).await?;
    Ok(())
}
