//! The write and the read database of a test.

use super::servers::Servers;
use super::wait::{DEADLINE, eventually, within};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgQueryResult};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, Postgres, Transaction};
use std::time::Duration;
use uuid::Uuid;

// The privileges that `cargo stack` grants at every start.
const WRITE_PRIVILEGES: &str = include_str!("../../db/roles/write_db.sql");
const READ_PRIVILEGES: &str = include_str!("../../db/roles/read_db.sql");

/// The database roles of the services.
pub const SERVICE_ROLES: [&str; 3] = ["command_service", "consumer_service", "query_service"];

/// Number of events that the broker has not confirmed.
pub const UNPUBLISHED: &str = "SELECT count(*) FROM outbox WHERE published_at IS NULL";
/// Number of dead letters.
pub const DEAD_LETTERS: &str = "SELECT count(*) FROM dead_letters";
/// Number of sessions that wait for a lock.
pub const LOCK_WAITS: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'";
/// Number of sessions in `pg_sleep`: see [`Databases::delay_writes`].
pub const SLEEPING: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event = 'PgSleep'";
/// Number of sessions that hold the session lock of the leading publisher.
pub const LEADERS: &str = "SELECT count(*) FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND database =
        (SELECT oid FROM pg_database WHERE datname = current_database())";

/// The two databases. Each test has its own.
#[derive(Debug)]
pub struct Databases {
    /// The write database, as superuser.
    pub write: PgPool,
    /// The read database, as superuser.
    pub read: PgPool,
    servers: Servers,
    name: String,
}

impl Databases {
    /// Creates empty databases.
    pub async fn create(servers: &Servers) -> Self {
        let name = format!("test_{}", Uuid::new_v4().simple());
        for server in [&servers.write, &servers.read] {
            administer(server, format!("CREATE DATABASE {name}")).await;
        }
        let pool = |server| {
            let options = options(server).database(&name);
            PgPoolOptions::new().max_connections(4).connect_lazy_with(options)
        };
        let (write, read) = (pool(&servers.write), pool(&servers.read));
        let databases = Self { write, read, servers: servers.clone(), name };
        databases.grant().await;
        databases
    }

    /// Grants the privileges of the roles, as `cargo stack` does at every start.
    pub async fn grant(&self) {
        for (url, privileges) in self.urls().iter().zip([WRITE_PRIVILEGES, READ_PRIVILEGES]) {
            let mut connection = PgConnection::connect(url).await.unwrap();
            sqlx::raw_sql(privileges).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }

    /// The URL of the database of a service, for the service's role.
    pub fn url_as(&self, role: &str) -> String {
        self.url_through(role, options(self.server_of(role)).get_port())
    }

    /// The same through a port of a link or a connection pooler.
    pub fn url_through(&self, role: &str, port: u16) -> String {
        self.url(self.server_of(role), Some(role), port)
    }

    fn server_of(&self, role: &str) -> &str {
        if role == "command_service" { &self.servers.write } else { &self.servers.read }
    }

    /// The URLs of both for monitoring.
    pub fn monitoring_urls(&self) -> [String; 2] {
        self.both_urls(Some("monitoring"))
    }

    /// The URLs of both for a superuser.
    pub fn urls(&self) -> [String; 2] {
        self.both_urls(None)
    }

    fn both_urls(&self, role: Option<&str>) -> [String; 2] {
        [&self.servers.write, &self.servers.read]
            .map(|server| self.url(server, role, options(server).get_port()))
    }

    fn url(&self, server: &str, role: Option<&str>, port: u16) -> String {
        let (credentials, _) = server.split_once('@').unwrap();
        // The password that `cargo stack` gives to roles.
        let credentials =
            role.map_or(credentials.to_owned(), |role| format!("postgres://{role}:password"));
        format!("{credentials}@{}:{port}/{}", options(server).get_host(), self.name)
    }

    /// An integer of the write database.
    pub async fn query_write(&self, sql: &'static str) -> i64 {
        self.try_query_write(sql).await.unwrap()
    }

    /// An integer of the write database, whose server may be unavailable.
    pub async fn try_query_write(&self, sql: &'static str) -> sqlx::Result<i64> {
        sqlx::query_scalar(sql).fetch_one(&self.write).await
    }

    /// An integer of the read database.
    pub async fn query_read(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.read).await.unwrap()
    }

    /// Waits until an integer of the write database has a value.
    pub async fn wait_for_write(&self, sql: &'static str, expected: i64) {
        eventually(async || match self.query_write(sql).await {
            value if value == expected => Ok(()),
            value => Err(format!("{value}, not {expected}: {sql}")),
        })
        .await;
    }

    /// Waits until an integer of the read database has a value.
    pub async fn wait_for_read(&self, sql: &'static str, expected: i64) {
        self.wait_for_read_within(DEADLINE, sql, expected).await;
    }

    /// The same with another deadline.
    pub async fn wait_for_read_within(&self, deadline: Duration, sql: &'static str, expected: i64) {
        within(deadline, async || match self.query_read(sql).await {
            value if value == expected => Ok(()),
            value => Err(format!("{value}, not {expected}: {sql}")),
        })
        .await;
    }

    /// Locks rows of the write database by a statement, until the transaction ends.
    pub async fn lock_rows(&self, statement: &str) -> Transaction<'static, Postgres> {
        lock_rows(&self.write, statement).await
    }

    /// Makes inserts into a table of the write database take some seconds if the new row
    /// meets a condition.
    pub async fn delay_writes(&self, table: &str, condition: &str, seconds: f64) {
        let sql = format!(
            "CREATE OR REPLACE FUNCTION delay() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 PERFORM pg_sleep({seconds});
                 RETURN NEW;
             END
             $$;
             CREATE TRIGGER delay BEFORE INSERT ON {table}
             FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION delay()"
        );
        execute(&self.write, &sql).await;
    }

    /// Deletes the databases, even if something is connected to them.
    pub async fn delete(&self) {
        for server in [&self.servers.write, &self.servers.read] {
            let name = &self.name;
            administer(server, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    }
}

/// Runs statements as superuser.
pub async fn execute(database: &PgPool, sql: &str) -> PgQueryResult {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(database).await.unwrap()
}

/// Locks rows by a statement, until the transaction ends.
pub async fn lock_rows(database: &PgPool, statement: &str) -> Transaction<'static, Postgres> {
    let mut transaction = database.begin().await.unwrap();
    let sql = AssertSqlSafe(statement.to_owned());
    sqlx::raw_sql(sql).execute(&mut *transaction).await.unwrap();
    transaction
}

impl Servers {
    /// The port of the write database's server.
    pub fn write_port(&self) -> u16 {
        options(&self.write).get_port()
    }

    /// The port of the read database's server.
    pub fn read_port(&self) -> u16 {
        options(&self.read).get_port()
    }

    /// Checks that the write database's server accepts connections.
    pub async fn check_write_database(&self) -> Result<(), String> {
        check(&self.write).await
    }

    /// Checks that the read database's server accepts connections.
    pub async fn check_read_database(&self) -> Result<(), String> {
        check(&self.read).await
    }
}

async fn check(server: &str) -> Result<(), String> {
    let options = options(server).database("postgres");
    let connecting = PgConnection::connect_with(&options);
    let connection = connecting.await.map_err(|error| error.to_string())?;
    connection.close().await.map_err(|error| error.to_string())
}

fn options(server: &str) -> PgConnectOptions {
    server.parse().unwrap()
}

async fn administer(server: &str, sql: String) {
    let options = options(server).database("postgres");
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    execute(&pool, &sql).await;
    pool.close().await;
}
