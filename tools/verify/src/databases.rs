//! The two databases, each seen through a snapshot.

use anyhow::{Context, Result, bail};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use std::time::Duration;
use tokio::time::timeout;

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Nothing is written, and nothing ends a statement that takes long: verifying
/// millions of orders does. Sorting them wants more memory than a request does.
const SETTINGS: [(&str, &str); 6] = [
    ("default_transaction_read_only", "on"),
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("TimeZone", "UTC"),
    ("work_mem", "64MB"),
];

/// What failures of a database are told with.
const READ: &str = "cannot look at the read database";
const WRITE: &str = "cannot look at the write database";

/// A connection to each database.
#[derive(Debug)]
pub struct Databases {
    /// To the write database.
    pub write: PgConnection,
    /// To the read database.
    pub read: PgConnection,
    /// Whether there are snapshots already.
    looked: bool,
}

impl Databases {
    /// Connects to both.
    ///
    /// # Errors
    /// If one of them is not reachable.
    pub async fn connect(write: &PgConnectOptions, read: &PgConnectOptions) -> Result<Self> {
        Ok(Self {
            write: connect(write, "write", "--database-url").await?,
            read: connect(read, "read", "--read-database-url").await?,
            looked: false,
        })
    }

    /// Takes new snapshots, that of the read database first: what it has was
    /// committed in the write database before.
    ///
    /// # Errors
    /// If a database is gone.
    pub async fn look(&mut self) -> Result<()> {
        if self.looked {
            sqlx::raw_sql("ROLLBACK").execute(&mut self.read).await.context(READ)?;
            sqlx::raw_sql("ROLLBACK").execute(&mut self.write).await.context(WRITE)?;
        }
        self.looked = true;
        take_snapshot(&mut self.read).await.context(READ)?;
        take_snapshot(&mut self.write).await.context(WRITE)
    }
}

async fn connect(options: &PgConnectOptions, name: &str, flag: &str) -> Result<PgConnection> {
    let named = options.clone().application_name("verify").options(SETTINGS);
    let place = format!("{}:{}", options.get_host(), options.get_port());
    let hint = format!(
        "cannot reach the {name} database at {place} (is the stack up? {flag} names another one)"
    );
    match timeout(CONNECT_TIMEOUT, named.connect()).await {
        Ok(connection) => connection.context(hint),
        Err(_) => bail!("{hint}: no answer within {} s", CONNECT_TIMEOUT.as_secs()),
    }
}

/// Why a statement failed, and what may be done: tables come with the first start
/// of the service that has them.
pub fn failure(error: sqlx::Error, doing: &str) -> anyhow::Error {
    // https://www.postgresql.org/docs/current/errcodes-appendix.html
    let unknown = |code: &str| ["42P01", "42703", "3F000"].contains(&code);
    let code = error.as_database_error().and_then(|error| error.code());
    let hint = match code {
        Some(code) if unknown(&code) => " (is it migrated? The services do it at their start)",
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
