//! The databases of a section.
//!
//! The bench's queries are checked at run time, not at compile time: sqlx's macros would require
//! query data (`.sqlx`) for tables that exist only during a measurement.

use crate::servers::Servers;
use anyhow::{Context, Result};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgPool};
use std::sync::atomic::{AtomicU32, Ordering};

/// Connections of the bench itself to each database.
const CONNECTIONS: u32 = 2;

/// The number of the last pair.
static LAST: AtomicU32 = AtomicU32::new(0);

/// A database of the bench in one of the clusters.
#[derive(Clone, Debug)]
pub struct Database {
    pub options: PgConnectOptions,
    pub pool: PgPool,
}

#[derive(Clone, Debug)]
pub struct Databases {
    pub write: Database,
    pub read: Database,
}

impl Database {
    /// Creates an empty database, `bench_<what>_<n>`.
    pub async fn create(cluster: &PgConnectOptions, what: &str) -> Result<Self> {
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let name = format!("bench_{what}_{number}");
        administer(cluster, format!("CREATE DATABASE {name}")).await?;
        let options = cluster.clone().database(&name);
        let pool =
            PgPoolOptions::new().max_connections(CONNECTIONS).connect_lazy_with(options.clone());
        Ok(Self { options, pool })
    }

    pub fn url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }

    /// Deletes the database and closes its connections.
    pub async fn delete(self) -> Result<()> {
        self.pool.close().await;
        let name = self.options.get_database().context("a database without a name")?;
        administer(&self.options, format!("DROP DATABASE {name} WITH (FORCE)")).await
    }

    /// Updates statistics and visibility maps, and writes all changed pages, as after some time
    /// of operation.
    pub async fn settle(&self) -> Result<()> {
        for statement in ["VACUUM ANALYZE", "CHECKPOINT"] {
            sqlx::raw_sql(statement).execute(&self.pool).await?;
        }
        Ok(())
    }
}

impl Databases {
    pub async fn create(servers: &Servers) -> Result<Self> {
        let write = Database::create(&servers.write, "w").await?;
        Ok(Self { write, read: Database::create(&servers.read, "r").await? })
    }

    pub async fn delete(self) -> Result<()> {
        self.write.delete().await?;
        self.read.delete().await
    }

    pub async fn settle(&self) -> Result<()> {
        self.write.settle().await?;
        self.read.settle().await
    }
}

async fn administer(cluster: &PgConnectOptions, statement: String) -> Result<()> {
    let mut connection = cluster.clone().database("postgres").connect().await?;
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
