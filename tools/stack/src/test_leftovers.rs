//! Databases and virtual hosts of failed or interrupted system tests.
//!
//! Each test has its own databases and virtual host, and deletes them if it succeeds. Those of
//! a failed test stay on the servers of `cargo stack infra` until the next run, for inspection.

use crate::debian_packages::{POSTGRES, ensure};
use crate::postgres;
use crate::project::Project;
use crate::rabbitmq_setup::manage;
use crate::server_binaries::find_postgres;
use anyhow::{Context, Result};
use minreq::Method;
use serde_json::Value;

/// Names as `tests/harness/database.rs` makes them.
const DATABASES: &str = "SELECT datname FROM pg_database WHERE datname ~ '^test_[0-9a-f]{32}$'";
/// The prefix of names that `tests/harness/broker.rs` makes.
const VIRTUAL_HOST: &str = "test-";

/// Deletes the databases and virtual hosts of earlier tests that have no connections.
pub fn remove(project: &Project, environment: &[(String, String)]) -> Result<()> {
    let binaries = ensure(&project.private_folder(), &POSTGRES, find_postgres)?;
    for url in
        ["DATABASE_URL", "READ_DATABASE_URL"].iter().filter_map(|name| get(environment, name))
    {
        for database in postgres::query_by_url(&binaries, url, DATABASES)?.lines() {
            // PostgreSQL refuses to drop a database with connections.
            let _ = postgres::query_by_url(&binaries, url, &format!("DROP DATABASE {database}"));
        }
    }
    get(environment, "BROKER_MANAGEMENT_URL").map_or(Ok(()), remove_virtual_hosts)
}

fn get<'a>(environment: &'a [(String, String)], wanted: &str) -> Option<&'a str> {
    environment.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
}

fn remove_virtual_hosts(management_url: &str) -> Result<()> {
    let port = management_url.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    let port = port.with_context(|| format!("{management_url} has no port"))?;
    let hosts = manage(port, Method::Get, "/api/vhosts?columns=name", "")?;
    let hosts: Vec<Value> = serde_json::from_str(&hosts).context("unexpected vhosts")?;
    let names = hosts.iter().filter_map(|host| host["name"].as_str());
    for name in names.filter(|name| name.starts_with(VIRTUAL_HOST)) {
        let path = format!("/api/vhosts/{name}");
        // Other tests may delete it meanwhile.
        let connections = manage(port, Method::Get, &format!("{path}/connections"), "");
        if connections.is_ok_and(|connections| connections == "[]") {
            let _ = manage(port, Method::Delete, &path, "");
        }
    }
    Ok(())
}
