//! pgbench: the same work by PostgreSQL alone.

use crate::arguments::Pace;
use crate::databases::Database;
use crate::requests::{CATEGORIES, CUSTOMERS, PRODUCTS, STOCK};
use crate::servers::Servers;
use anyhow::{Context, Result, bail};
use kit::Progress;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// The password of the clusters that `cargo stack` creates.
const PASSWORD: &str = "password";

/// Maximum number of threads: pgbench shares the cores with the server.
const THREADS: usize = 2;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../db/write");

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Transactions per second, without the time for connecting.
    pub per_second: f64,
    pub latency: f64,
}

/// A script and its database.
#[derive(Clone, Debug)]
pub struct Pgbench {
    name: &'static str,
    program: PathBuf,
    pub database: Database,
    script: PathBuf,
}

impl Pgbench {
    /// The same order as by the command service, in one statement, on a separate write database.
    pub async fn one_statement(servers: &Servers) -> Result<Self> {
        let database = Database::create(&servers.write, "limit").await?;
        MIGRATIONS.run(&database.pool).await.context("cannot migrate")?;
        insert_catalogue(&database).await?;
        database.settle().await?;
        Self::new(servers, database, "one statement", include_str!("one_statement.sql"))
    }

    /// Selects the row of a random customer by its key.
    pub fn point_select(servers: &Servers, read: &Database) -> Result<Self> {
        Self::new(servers, read.clone(), "point select", include_str!("point_select.sql"))
    }

    fn new(servers: &Servers, database: Database, name: &'static str, text: &str) -> Result<Self> {
        let script = servers.folder.join(name).with_extension("sql");
        std::fs::write(&script, text)
            .with_context(|| format!("cannot write {}", script.display()))?;
        Ok(Self { name, program: servers.postgres.join("pgbench"), database, script })
    }

    /// Runs the script with this many clients, after a warm-up, and shows the rate.
    pub async fn run(&self, clients: usize, pace: Pace) -> Result<Speed> {
        let progress = Progress::begin(&format!("pgbench, {}, {clients} clients", self.name), 0);
        let running = async {
            self.run_once(clients, pace.warm_up).await?;
            let speed = self.run_once(clients, pace.measure).await?;
            progress.remark(format!("{:.0} transactions/s", speed.per_second));
            Ok(speed)
        };
        progress.during(running).await
    }

    async fn run_once(&self, clients: usize, duration: Duration) -> Result<Speed> {
        let output = self.command(clients, duration).output().await.context("pgbench")?;
        let (out, complaint) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if !output.status.success() {
            bail!("pgbench failed: {}", complaint.trim());
        }
        Speed::parse(&out).with_context(|| format!("no speed in the output of pgbench: {out}"))
    }

    fn command(&self, clients: usize, duration: Duration) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env("PGPASSWORD", PASSWORD)
            .args(["--no-vacuum", "--protocol=prepared"])
            .args(["--host", self.database.options.get_host()])
            .args(["--port", &self.database.options.get_port().to_string()])
            .args(["--username", self.database.options.get_username()])
            .args(["--client", &clients.to_string()])
            .args(["--jobs", &clients.min(THREADS).to_string()])
            .args(["--time", &duration.as_secs().max(1).to_string()])
            .args(["--define", &format!("products={PRODUCTS}")])
            .args(["--define", &format!("customers={CUSTOMERS}")])
            .arg("--file")
            .arg::<&Path>(&self.script)
            .arg(self.database.options.get_database().unwrap_or_default())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }
}

impl Speed {
    /// Reads the summary that pgbench prints.
    fn parse(output: &str) -> Option<Self> {
        let number_after = |start: &str| {
            let rest = output.lines().find_map(|line| line.strip_prefix(start))?;
            rest.split_whitespace().next()?.parse().ok()
        };
        Some(Self {
            per_second: number_after("tps = ")?,
            latency: number_after("latency average = ")?,
        })
    }
}

/// Inserts the products and customers of a write database, without events.
pub async fn insert_catalogue(write: &Database) -> Result<()> {
    sqlx::query(include_str!("insert_products.sql"))
        .bind(i64::from(PRODUCTS))
        .bind(i64::from(CATEGORIES))
        .bind(i32::try_from(STOCK)?)
        .execute(&write.pool)
        .await?;
    insert_customers(write).await
}

/// Inserts the rows of all customers that will order, without events.
pub async fn insert_customers(write: &Database) -> Result<()> {
    sqlx::query("INSERT INTO customers (id) SELECT generate_series(1, $1) ON CONFLICT DO NOTHING")
        .bind(i64::from(CUSTOMERS))
        .execute(&write.pool)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_is_read_from_the_output_of_pgbench() {
        let output = "transaction type: x.sql\nlatency average = 12.345 ms\n\
                      initial connection time = 67.8 ms\n\
                      tps = 5184.250000 (without initial connection time)\n";
        let speed = Speed { per_second: 5184.25, latency: 12.345 };
        assert_eq!(Speed::parse(output), Some(speed));
        assert_eq!(Speed::parse("pgbench: error"), None);
    }
}
