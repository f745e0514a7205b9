//! Comparison of every view with the write database by `cargo stack verify`.

use super::database::Databases;
use super::process::program;
use sqlx::AssertSqlSafe;
use std::collections::BTreeSet;
use std::process::Output;
use tokio::process::Command;

/// Runs `cargo stack verify` on the databases of a test.
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

/// Panics with the differences if a view differs from the write database.
pub async fn assert_views_agree(databases: &Databases) {
    let output = verify(databases, &["--patience", "5"]).await;
    assert!(output.status.success(), "{}", printed(&output));
}

/// The standard output and the standard error of a program.
pub fn printed(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

/// All rows of all views, to compare them before and after.
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
