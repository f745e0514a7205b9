//! The sizes of tables.

use crate::databases::{Database, Databases};
use crate::table::table;
use anyhow::Result;
use futures::future::try_join;

/// Tables that do not grow with the number of orders.
const CONSTANT: [&str; 6] = [
    "products",
    "products_read",
    "product_sales_view",
    "sync_status",
    "topic_progress",
    "watermarks",
];

/// Tables that grow with the number of orders.
const GROWING: [&str; 6] =
    ["outbox", "orders", "order_items", "customer_ltv_view", "processed_events", "orders_read"];

/// The size of a table in bytes.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct Size {
    name: String,
    rows: i64,
    indexes: i64,
    dead: i64,
}

/// The sizes of all tables of both databases.
pub async fn measure(databases: &Databases) -> Result<Vec<Size>> {
    let (write, read) = try_join(of(&databases.write), of(&databases.read)).await?;
    Ok([write, read].concat())
}

async fn of(database: &Database) -> Result<Vec<Size>> {
    let sizes = sqlx::query_as(
        "SELECT relname::text AS name, pg_table_size(relid) AS rows,
                pg_indexes_size(relid) AS indexes, n_dead_tup AS dead
         FROM pg_stat_user_tables
         WHERE relname = ANY($1)
         ORDER BY relname",
    );
    Ok(sizes.bind([CONSTANT, GROWING].concat()).fetch_all(&database.pool).await?)
}

/// A table of sizes before and after, in megabytes.
pub fn compared(before: &[Size], after: &[Size]) -> String {
    let megabytes = |bytes: i64| format!("{:.2}", bytes as f64 / 1e6);
    let head = ["MB", "rows before", "after", "indexes before", "after", "dead rows"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    for size in after {
        let earlier = before.iter().find(|earlier| earlier.name == size.name);
        lines.push(vec![
            size.name.clone(),
            earlier.map_or_else(String::new, |earlier| megabytes(earlier.rows)),
            megabytes(size.rows),
            earlier.map_or_else(String::new, |earlier| megabytes(earlier.indexes)),
            megabytes(size.indexes),
            size.dead.to_string(),
        ]);
    }
    table(&lines)
}

/// One line of sizes in megabytes, rows and indexes, and of dead rows.
pub fn line(sizes: &[Size]) -> String {
    let texts = sizes.iter().map(|size| {
        let (rows, indexes) = (size.rows as f64 / 1e6, size.indexes as f64 / 1e6);
        format!("{} {rows:.1}+{indexes:.1} MB ({} dead)", size.name, size.dead)
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// Megabytes of all tables, with their indexes, that do not grow with the number of orders.
pub fn constant(sizes: &[Size]) -> f64 {
    let constant = sizes.iter().filter(|size| CONSTANT.contains(&size.name.as_str()));
    constant.map(|size| (size.rows + size.indexes) as f64 / 1e6).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tables_that_must_not_grow_count_as_constant() {
        let size =
            |name: &str| Size { name: name.to_owned(), rows: 2_000_000, indexes: 500_000, dead: 3 };
        let sizes = [size("products"), size("outbox")];
        assert_eq!(constant(&sizes), 2.5);
        assert!(compared(&sizes[..1], &sizes).contains("| products |        2.00 |  2.00 |"));
        assert!(line(&sizes).starts_with("products 2.0+0.5 MB (3 dead), outbox"));
    }
}
