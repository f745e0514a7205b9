//! One of the two databases while it is being filled.

use super::Filling;
use crate::databases::Database;
use anyhow::{Context, Result};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

/// The statements of a side.
#[derive(Debug)]
pub struct Kind {
    /// Tables whose indexes are created afterwards.
    tables: &'static [&'static str],
    /// Inserts the orders from $1 to $2.
    batch: &'static str,
    /// The statements after all orders are inserted.
    rest: &'static str,
}

pub const WRITE: Kind = Kind {
    tables: &["orders", "order_items", "outbox"],
    batch: include_str!("write_batch.sql"),
    rest: include_str!("write_rest.sql"),
};

pub const READ: Kind = Kind {
    tables: &["orders_read", "processed_events", "hourly_product_sales_view"],
    batch: include_str!("read_batch.sql"),
    rest: include_str!("read_rest.sql"),
};

/// A database that is being filled, with a session that has a temporary table of the orders.
#[derive(Debug)]
pub struct Side {
    kind: &'static Kind,
    connection: PgConnection,
    /// The statements that create the indexes again.
    indexes: Vec<String>,
}

impl Side {
    /// Drops indexes and creates the temporary table of the orders.
    pub async fn begin(database: &Database, kind: &'static Kind, filling: Filling) -> Result<Self> {
        let options = database.options.clone().options([
            // The rows satisfy the foreign keys; checking them would take most of the time.
            ("session_replication_role", "replica"),
            ("work_mem", "256MB"),
            ("maintenance_work_mem", "512MB"),
        ]);
        let mut connection = options.connect().await.context("cannot connect")?;
        sqlx::raw_sql(include_str!("lines.sql")).execute(&mut connection).await?;
        sqlx::query("INSERT INTO pg_temp.filling (orders, started, step) VALUES ($1, $2, $3)")
            .bind(i64::from(filling.orders))
            .bind(filling.started)
            .bind(filling.step())
            .execute(&mut connection)
            .await?;
        let indexes = drop_indexes(&mut connection, kind.tables).await?;
        Ok(Self { kind, connection, indexes })
    }

    /// Inserts the orders with these ids.
    pub async fn insert(&mut self, first: u32, last: u32) -> Result<()> {
        sqlx::query(self.kind.batch)
            .bind(i64::from(first))
            .bind(i64::from(last))
            .execute(&mut self.connection)
            .await
            .with_context(|| format!("orders {first} to {last}"))?;
        Ok(())
    }

    /// Runs the remaining statements and creates the indexes again.
    pub async fn finish(mut self) -> Result<()> {
        sqlx::raw_sql(self.kind.rest).execute(&mut self.connection).await?;
        for index in self.indexes {
            sqlx::raw_sql(AssertSqlSafe(index)).execute(&mut self.connection).await?;
        }
        self.connection.close().await?;
        Ok(())
    }
}

/// Drops the indexes that are not unique or partial. Returns the statements that create them.
async fn drop_indexes(connection: &mut PgConnection, tables: &[&str]) -> Result<Vec<String>> {
    let indexes: Vec<(String, String)> = sqlx::query_as(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid)
         FROM pg_index
         WHERE indrelid = ANY($1::text[]::regclass[]) AND NOT indisunique AND indpred IS NULL",
    )
    .bind(tables)
    .fetch_all(&mut *connection)
    .await?;
    for (name, _) in &indexes {
        let drop = AssertSqlSafe(format!("DROP INDEX {name}"));
        sqlx::raw_sql(drop).execute(&mut *connection).await?;
    }
    Ok(indexes.into_iter().map(|(_, definition)| definition).collect())
}
