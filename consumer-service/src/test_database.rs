//! Statements of tests, which panic if one fails.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, FromRow, PgPool};

pub async fn execute(pool: &PgPool, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(pool).await.unwrap();
}

pub async fn rows<T>(pool: &PgPool, sql: &str) -> Vec<T>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    sqlx::query_as(AssertSqlSafe(sql.to_owned())).fetch_all(pool).await.unwrap()
}

/// The only row.
pub async fn row<T>(pool: &PgPool, sql: &str) -> T
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    let mut rows = rows(pool, sql).await;
    assert_eq!(rows.len(), 1, "{sql}");
    rows.remove(0)
}

/// The only column of the only row.
pub async fn value<T>(pool: &PgPool, sql: &str) -> T
where
    (T,): for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    row::<(T,)>(pool, sql).await.0
}
