//! The two databases of a test.

use super::servers::Servers;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use uuid::Uuid;

// What the stack gives to its databases at every start.
const WRITE_RIGHTS: &str = include_str!("../../db/roles/write_db.sql");
const READ_RIGHTS: &str = include_str!("../../db/roles/read_db.sql");

/// A write and a read database of a test's own.
#[derive(Debug)]
pub struct Databases {
    /// The write database.
    pub write: PgPool,
    /// The read database.
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

    /// Gives the services' roles their rights, as the stack does at every start.
    pub async fn grant(&self) {
        for (url, rights) in self.urls().iter().zip([WRITE_RIGHTS, READ_RIGHTS]) {
            let mut connection = PgConnection::connect(url).await.unwrap();
            sqlx::raw_sql(rights).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }

    /// The URL of the write database for its service, at that port of its server or
    /// of a link.
    pub fn command_url(&self, port: u16) -> String {
        self.url(&self.servers.write, Some("command_service"), port)
    }

    /// The URL of the read database for the service that writes it.
    pub fn consumer_url(&self, port: u16) -> String {
        self.url(&self.servers.read, Some("consumer_service"), port)
    }

    /// The URL of the read database for the service that reads it.
    pub fn query_url(&self, port: u16) -> String {
        self.url(&self.servers.read, Some("query_service"), port)
    }

    /// The URLs of both for those who watch the servers.
    pub fn monitoring_urls(&self) -> [String; 2] {
        [
            self.url(&self.servers.write, Some("monitoring"), self.servers.write_port()),
            self.url(&self.servers.read, Some("monitoring"), self.servers.read_port()),
        ]
    }

    /// The URLs of both for people, who may do everything, at their servers' own ports.
    pub fn urls(&self) -> [String; 2] {
        [
            self.url(&self.servers.write, None, self.servers.write_port()),
            self.url(&self.servers.read, None, self.servers.read_port()),
        ]
    }

    fn url(&self, server: &str, role: Option<&str>, port: u16) -> String {
        let (credentials, _) = server.split_once('@').unwrap();
        // Roles have the password that `cargo stack` gives them.
        let credentials =
            role.map_or(credentials.to_owned(), |role| format!("postgres://{role}:password"));
        format!("{credentials}@{}:{port}/{}", options(server).get_host(), self.name)
    }

    /// One number of the write database.
    pub async fn query_write(&self, sql: &'static str) -> i64 {
        self.try_query_write(sql).await.unwrap()
    }

    /// One number of the write database, whose server may be away.
    pub async fn try_query_write(&self, sql: &'static str) -> sqlx::Result<i64> {
        sqlx::query_scalar(sql).fetch_one(&self.write).await
    }

    /// One number of the read database.
    pub async fn query_read(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.read).await.unwrap()
    }

    /// Deletes the databases, whoever is still connected.
    pub async fn delete(&self) {
        for server in [&self.servers.write, &self.servers.read] {
            let name = &self.name;
            administer(server, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    }
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

    /// Whether the write database's server takes connections.
    pub async fn write_answers(&self) -> Result<(), String> {
        answers(&self.write).await
    }

    /// Whether the read database's server takes connections.
    pub async fn read_answers(&self) -> Result<(), String> {
        answers(&self.read).await
    }
}

async fn answers(server: &str) -> Result<(), String> {
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
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&pool).await.unwrap();
    pool.close().await;
}
