//! Checks the database after a query failed for a reason that may affect other queries.

use shared_events::views::views;
use sqlx::{AssertSqlSafe, PgPool};

/// The other tables that queries read.
const TABLES: [&str; 6] = [
    "projections",
    "dead_letters",
    "processed_events",
    "sync_status",
    "watermarks",
    "topic_progress",
];

/// Reads from every table and view that queries use.
///
/// # Errors
/// Those of queries.
pub async fn try_to_read(pool: PgPool) -> sqlx::Result<()> {
    let tables = views().map(|view| view.name).chain(TABLES);
    let statements: Vec<String> =
        tables.map(|table| format!("SELECT FROM {table} LIMIT 1")).collect();
    sqlx::raw_sql(AssertSqlSafe(statements.join(";"))).execute(&pool).await?;
    Ok(())
}
