//! Comparing every view with the write database, by `cargo stack verify`.

use super::database::Databases;
use super::process::program;
use sqlx::AssertSqlSafe;
use std::collections::BTreeSet;
use std::process::Output;
use tokio::process::Command;

/// Runs `cargo stack verify` on a test's databases.
pub async fn verify(databases: &Databases, arguments: &[&str]) -> Output {
    let [write, read] = databases.urls();
    Command::new(program("verify"))
        .args(["--database-url", &write])
        .args(["--read-database-url", &read])
        .args(arguments)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap()
}

/// Panics with what differs, should any view differ from the write database.
pub async fn assert_views_agree(databases: &Databases) {
    let output = verify(databases, &["--patience", "5"]).await;
    assert!(output.status.success(), "{}", printed(&output));
}

/// Everything that a program has printed.
pub fn printed(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

/// All rows of all views, to see that nothing changes.
pub async fn views(databases: &Databases) -> Vec<BTreeSet<String>> {
    let names: Vec<String> = sqlx::query_scalar("SELECT DISTINCT view FROM projections")
        .fetch_all(&databases.read)
        .await
        .unwrap();
    assert!(!names.is_empty());
    let mut views = Vec::new();
    for name in names {
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT row::text FROM {name} AS row")))
                .fetch_all(&databases.read)
                .await
                .unwrap();
        views.push(rows.into_iter().collect());
    }
    views
}
