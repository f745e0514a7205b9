//! The two databases of a test.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool};
use std::env;
use uuid::Uuid;

/// A write and a read database of a test's own.
#[derive(Debug)]
pub struct Databases {
    /// The write database.
    pub write: PgPool,
    /// The read database.
    pub read: PgPool,
    name: String,
}

impl Databases {
    /// Creates empty databases.
    pub async fn create() -> Self {
        let name = format!("test_{}", Uuid::new_v4().simple());
        for server in ["DATABASE_URL", "READ_DATABASE_URL"] {
            administer(server, format!("CREATE DATABASE {name}")).await;
        }
        let pool = |server| {
            // On the read side set here as well, for connections made before
            // the migrations have set it for the database.
            let options =
                server_options(server).database(&name).options([("search_path", "live,public")]);
            PgPoolOptions::new().max_connections(4).connect_lazy_with(options)
        };
        Self { write: pool("DATABASE_URL"), read: pool("READ_DATABASE_URL"), name }
    }

    /// The URL of the write database, at its server's port or that of a link.
    pub fn write_url(&self, port: Option<u16>) -> String {
        self.url("DATABASE_URL", port)
    }

    /// The URL of the read database, at its server's port or that of a link.
    pub fn read_url(&self, port: Option<u16>) -> String {
        self.url("READ_DATABASE_URL", port)
    }

    /// The ports of both servers.
    pub fn ports() -> (u16, u16) {
        (server_options("DATABASE_URL").get_port(), server_options("READ_DATABASE_URL").get_port())
    }

    fn url(&self, server: &str, port: Option<u16>) -> String {
        let options = server_options(server);
        let url = setting(server);
        let (credentials, _) = url.split_once('@').unwrap();
        let port = port.unwrap_or(options.get_port());
        format!("{credentials}@{}:{port}/{}", options.get_host(), self.name)
    }

    /// One number of the write database.
    pub async fn written(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.write).await.unwrap()
    }

    /// One number of the read database.
    pub async fn viewed(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.read).await.unwrap()
    }

    /// Deletes the databases, whoever is still connected.
    pub async fn delete(&self) {
        for server in ["DATABASE_URL", "READ_DATABASE_URL"] {
            let name = &self.name;
            administer(server, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    }
}

fn setting(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo stack test`"))
}

fn server_options(server: &str) -> PgConnectOptions {
    setting(server).parse().unwrap()
}

async fn administer(server: &str, sql: String) {
    let options = server_options(server).database("postgres");
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&pool).await.unwrap();
    pool.close().await;
}
