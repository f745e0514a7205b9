//! Applies migrations at the start of a service.

use super::{ACQUIRE_TIMEOUT, named};
use crate::health::DependencyStatus;
use crate::retry::Backoff;
use anyhow::Context;
use sqlx::PgPool;
use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio_util::sync::CancellationToken;

/// Message for a database that was created before the present schema.
const OUTDATED: &str = "cannot migrate: this database was created by a version before the \
    present schema, and its data cannot be migrated. Start with empty databases: \
    `docker compose down -v` with Docker Compose; with `cargo stack up`, delete its data folder";

/// Message for a database that a newer version has migrated.
const NEWER: &str = "cannot migrate: a newer version has migrated this database. Start a service \
    of that version";

/// Applies missing migrations as soon as the database is reachable. Several processes may
/// do so at once, because sqlx takes an advisory lock.
///
/// Returns false after the shutdown.
pub async fn migrate(
    options: &PgConnectOptions,
    migrator: &Migrator,
    status: &DependencyStatus,
    shutdown: &CancellationToken,
) -> bool {
    let migrate = || migrate_once(options, migrator);
    Backoff::default().until_success(status, shutdown, migrate).await.is_some()
}

async fn migrate_once(options: &PgConnectOptions, migrator: &Migrator) -> anyhow::Result<()> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // Overrides settings of the database or the role.
        .connect_with(named(options, "migrations").options([("search_path", "public")]))
        .await
        .context("cannot connect")?;
    if let Err(error) = migrator.run(&pool).await {
        let message = match error {
            MigrateError::VersionMismatch(_) => OUTDATED,
            MigrateError::VersionMissing(_) if differs(&pool, migrator).await? => OUTDATED,
            MigrateError::VersionMissing(_) => NEWER,
            _ => "cannot migrate",
        };
        return Err(anyhow::Error::new(error).context(message));
    }
    pool.close().await;
    Ok(())
}

/// Whether an applied migration differs from the one of this version.
async fn differs(pool: &PgPool, migrator: &Migrator) -> anyhow::Result<bool> {
    let mut connection = pool.acquire().await?;
    let applied = connection.list_applied_migrations(&migrator.table_name).await?;
    Ok(applied.iter().any(|applied| {
        migrator
            .iter()
            .any(|own| own.version == applied.version && own.checksum != applied.checksum)
    }))
}
