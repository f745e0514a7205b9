//! The views, each with two statements for the same columns: the expected rows from the write
//! database and the actual rows from the read database.
//!
//! The columns come from the catalogue of the read database, so no column is omitted.

mod sales;

use crate::databases::{Databases, failure};
use anyhow::{Result, bail, ensure};
use shared_events::views::{SALES_VIEWS, STATE_VIEWS, View};
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr, Statement};

/// Common table expressions with the write side as far as the views have applied it. All
/// expected rows are computed from them.
const APPLIED_STATE: &str = include_str!("applied_state.sql");

/// Columns that are not compared. They hold the id, the version or the time of the event that
/// set a value, which the write database stores only inside the events. The value itself is
/// compared.
const NOT_COMPARED: [(&str, &[&str]); 5] = [
    ("orders_read", &["state_event", "updated_at"]),
    ("refunds_read", &["event_id"]),
    (
        "users_read",
        &[
            "state_version",
            "state_event",
            "account_version",
            "account_event",
            "created_version",
            "updated_at",
        ],
    ),
    ("products_read_view", &["updated_at"]),
    ("product_sales_view", &["stock_moved_at"]),
];

/// A view with its statements.
#[derive(Debug)]
pub struct ComparedView {
    /// Its name.
    pub name: &'static str,
    /// The columns that identify a row.
    pub key: &'static [&'static str],
    /// The statement for the write database: rows as JSON by ascending key, without the effect
    /// of the events whose ids are its parameter.
    pub expected: String,
    /// The statement for the read database: rows as JSON by ascending key.
    pub actual: String,
}

/// A column of a view.
#[derive(sqlx::FromRow)]
struct Column {
    name: String,
    /// Its type with precision, such as `numeric(24,4)`.
    data_type: String,
}

/// Every view.
pub async fn load(databases: &mut Databases) -> Result<Vec<ComparedView>> {
    let mut views = Vec::new();
    for sales in &SALES_VIEWS {
        views.push(ComparedView::load(databases, &sales.view, &sales::expected(sales)).await?);
    }
    for view in &STATE_VIEWS {
        views.push(ComparedView::load(databases, view, expected(view)?).await?);
    }
    Ok(views)
}

fn expected(view: &View) -> Result<&'static str> {
    Ok(match view.name {
        "orders_read" => include_str!("orders_read.sql"),
        "refunds_read" => include_str!("refunds_read.sql"),
        "users_read" => include_str!("users_read.sql"),
        "products_read_view" => include_str!("products_read_view.sql"),
        name => bail!("cargo stack verify has no statement for {name}"),
    })
}

impl ComparedView {
    /// A view without statements.
    #[cfg(test)]
    pub const fn with_key(name: &'static str, key: &'static [&'static str]) -> Self {
        Self { name, key, expected: String::new(), actual: String::new() }
    }

    async fn load(databases: &mut Databases, view: &View, statement: &str) -> Result<Self> {
        let columns = columns(databases, view.name).await?;
        let computed = computed_columns(databases, view.name, statement).await?;
        check(view.name, &columns, &computed)?;
        let column = |Column { name, data_type }: &Column| format!("{name}::{data_type} AS {name}");
        let columns_as_stored = columns.iter().map(column).collect::<Vec<_>>().join(", ");
        let rows = |source: &str| {
            let key = order(view.key, &columns);
            // Sorted as columns first, because JSON rows are larger. PostgreSQL does not sort
            // rows again that are in order.
            format!(
                "SELECT row_to_json(row)::text
                 FROM (SELECT {columns_as_stored} FROM {source} ORDER BY {key}) AS row
                 ORDER BY {key}"
            )
        };
        Ok(Self {
            name: view.name,
            key: view.key,
            expected: format!(
                "{APPLIED_STATE}\n{}",
                rows(&format!("(\n{statement}\n) AS computed"))
            ),
            actual: rows(view.name),
        })
    }
}

/// The columns of a view that are compared.
async fn columns(databases: &mut Databases, view: &str) -> Result<Vec<Column>> {
    let doing = format!("cannot read the columns of {view}");
    let mut columns: Vec<Column> = sqlx::query_as(include_str!("columns.sql"))
        .bind(view)
        .fetch_all(&mut databases.read)
        .await
        .map_err(|error| failure(error, &doing))?;
    let skipped = NOT_COMPARED.iter().find(|(name, _)| *name == view);
    let skipped = skipped.map_or(&[][..], |(_, columns)| columns);
    columns.retain(|column| !skipped.contains(&column.name.as_str()));
    Ok(columns)
}

/// The columns that a statement computes.
async fn computed_columns(
    databases: &mut Databases,
    view: &str,
    statement: &str,
) -> Result<Vec<String>> {
    let sql = AssertSqlSafe(format!("{APPLIED_STATE}\n{statement}")).into_sql_str();
    let prepared = (&mut databases.write).prepare(sql).await;
    let prepared = prepared.map_err(|error| {
        failure(error, &format!("cannot compute {view} from the write database"))
    })?;
    Ok(prepared.columns().iter().map(|column| sqlx::Column::name(column).to_owned()).collect())
}

fn check(view: &str, columns: &[Column], computed: &[String]) -> Result<()> {
    for Column { name, .. } in columns {
        ensure!(
            computed.contains(name),
            "{view} has the column {name}, which cargo stack verify does not compute: use the \
             version that belongs to the running services"
        );
    }
    for name in computed {
        ensure!(
            columns.iter().any(|column| column.name == *name),
            "{view} lacks the column {name} (is it migrated by the same version?)"
        );
    }
    Ok(())
}

/// The terms that sort rows by key. Strings are sorted by bytes, because the two databases may
/// have different collations.
fn order(key: &[&str], columns: &[Column]) -> String {
    let is_string =
        |name: &str| columns.iter().any(|column| column.name == name && column.data_type == "text");
    let term = |name: &&str| match is_string(name) {
        true => format!("{name} COLLATE \"C\""),
        false => (*name).to_owned(),
    };
    key.iter().map(term).collect::<Vec<_>>().join(", ")
}
