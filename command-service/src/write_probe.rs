//! Checks whether commands can be executed, after one failed for a reason that affects others.

use crate::transactions::begin;
use sqlx::{Connection, PgPool};
use uuid::Uuid;

/// Writes to every table of commands and rolls back, then commits, which writes to the disk.
///
/// # Errors
/// Those of commands.
pub async fn try_to_write(pool: PgPool) -> sqlx::Result<()> {
    let mut transaction = begin(&pool).await?;
    let mut savepoint = transaction.begin().await?;
    let event_id = Uuid::now_v7();
    // Far above assigned ids, and random, because another command service may run the probe at
    // the same time.
    let id = i64::MAX - (event_id.as_u128() & 0xffff_ffff) as i64;
    sqlx::query_file!("src/write_probe.sql", id, event_id).execute(&mut *savepoint).await?;
    // Runs the checks that usually run at COMMIT.
    sqlx::raw_sql("SET CONSTRAINTS ALL IMMEDIATE").execute(&mut *savepoint).await?;
    savepoint.rollback().await?;
    transaction.commit().await
}

#[cfg(test)]
mod database_tests {
    use super::*;
    use service_runtime::postgres::{Failure, may_have_committed};
    use sqlx::AssertSqlSafe;

    const TABLES: &str =
        "accounts customers idempotency_keys order_items orders outbox products users";

    /// Makes writes to a table fail with a full disk, at once or at COMMIT.
    async fn fill(pool: &PgPool, table: &str, kind: &str) {
        let sql = format!(
            "CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 RAISE EXCEPTION USING ERRCODE = 'disk_full';
             END
             $$;
             CREATE {kind} ON {table} {deferred} FOR EACH ROW EXECUTE FUNCTION full_disk()",
            kind = if kind == "commit" {
                "CONSTRAINT TRIGGER full_disk AFTER INSERT"
            } else {
                "TRIGGER full_disk BEFORE INSERT"
            },
            deferred = if kind == "commit" { "DEFERRABLE INITIALLY DEFERRED" } else { "" },
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await.unwrap();
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn a_probe_writes_nothing_and_fails_as_commands_do(pool: PgPool) {
        for table in TABLES.split(' ') {
            try_to_write(pool.clone()).await.unwrap();
            let count = format!("SELECT count(*) FROM {table}");
            let rows: i64 =
                sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&pool).await.unwrap();
            assert_eq!(rows, 0, "{table}");
            for kind in ["statement", "commit"] {
                fill(&pool, table, kind).await;
                let error = try_to_write(pool.clone()).await.unwrap_err();
                assert_eq!(Failure::of(&error), Failure::NoSpace, "{table}");
                let drop = format!("DROP TRIGGER full_disk ON {table}");
                sqlx::raw_sql(AssertSqlSafe(drop)).execute(&pool).await.unwrap();
            }
        }
    }

    #[sqlx::test(migrator = "crate::MIGRATIONS")]
    async fn only_a_lost_session_makes_the_outcome_of_commit_unknown(pool: PgPool) {
        let insert = "INSERT INTO customers (id) VALUES (7)";
        fill(&pool, "customers", "commit").await;
        let mut transaction = pool.begin().await.unwrap();
        sqlx::raw_sql(insert).execute(&mut *transaction).await.unwrap();
        let error = transaction.commit().await.unwrap_err();
        assert!(!may_have_committed(&error), "{error}");
        // One statement, which commits by itself.
        let error = sqlx::query(insert).execute(&pool).await.unwrap_err();
        assert!(!may_have_committed(&error), "{error}");
        sqlx::raw_sql(
            "CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 PERFORM pg_terminate_backend(pg_backend_pid());
                 RETURN NULL;
             END
             $$",
        )
        .execute(&pool)
        .await
        .unwrap();
        let mut transaction = pool.begin().await.unwrap();
        sqlx::raw_sql(insert).execute(&mut *transaction).await.unwrap();
        let error = transaction.commit().await.unwrap_err();
        assert!(may_have_committed(&error), "{error}");
    }
}
