//! A service does not change a database of another schema version. Health and log name the
//! remedy.

use crate::harness::{Databases, Servers, Service, eventually, execute};
use sqlx::PgPool;

/// A database of an older version: other migrations with the same numbers, and another schema
/// first in the search path.
const OLD: &str = "
    CREATE TABLE _sqlx_migrations (
        version        BIGINT PRIMARY KEY,
        description    TEXT NOT NULL,
        installed_on   TIMESTAMPTZ NOT NULL DEFAULT now(),
        success        BOOLEAN NOT NULL,
        checksum       BYTEA NOT NULL,
        execution_time BIGINT NOT NULL
    );
    INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
    SELECT version, 'old', TRUE, sha384('old'), 1 FROM generate_series(1, 4) AS version;
    CREATE SCHEMA live;
    DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I SET search_path = live, public', current_database());
    END $$";

/// Starts the services that run migrations.
fn start(databases: &Databases) -> [(Service, &PgPool); 2] {
    let broker = || ("BROKER_URL", "amqp://127.0.0.1:1".to_owned());
    let command = ("DATABASE_URL", databases.url_as("command_service"));
    let consumer = ("READ_DATABASE_URL", databases.url_as("consumer_service"));
    [
        (Service::start("command-service", vec![command, broker()], None), &databases.write),
        (Service::start("consumer-service", vec![consumer, broker()], None), &databases.read),
    ]
}

/// Waits until health has the reason and the service has tried again. Asserts that the
/// reason is logged once.
async fn assert_refused(service: &Service, database: &PgPool, reason: &str) {
    let health = service.wait_for_health(|health| health.text.contains(reason)).await;
    health.assert_status(503);
    let sessions = async || -> i64 {
        let sql = "SELECT sessions FROM pg_stat_database WHERE datname = current_database()";
        sqlx::query_scalar(sql).fetch_one(database).await.unwrap()
    };
    let before = sessions().await;
    eventually(async || {
        let since = sessions().await - before;
        if since >= 3 { Ok(()) } else { Err(since) }
    })
    .await;
    assert_eq!(service.log().matches(reason).count(), 1, "{}", service.log());
}

#[tokio::test]
async fn a_database_of_an_older_version_is_reported_once_with_a_remedy() {
    let databases = Databases::create(&Servers::of_environment()).await;
    for database in [&databases.write, &databases.read] {
        execute(database, OLD).await;
    }
    databases.grant().await;
    for (service, database) in start(&databases) {
        assert_refused(&service, database, "its data cannot be migrated").await;
        let log = service.log();
        assert!(log.contains("docker compose down -v") && log.contains("data folder"), "{log}");
    }
    databases.delete().await;
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_reported() {
    let databases = Databases::create(&Servers::of_environment()).await;
    for (service, _) in start(&databases) {
        service.wait_for_health(|health| health.body["database"]["status"] == "up").await;
    }
    for database in [&databases.write, &databases.read] {
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum,
                                                   execution_time)
                     VALUES (9999, 'new', TRUE, sha384('new'), 1)";
        execute(database, newer).await;
    }
    for (service, database) in start(&databases) {
        assert_refused(&service, database, "a newer version has migrated this database").await;
    }
    databases.delete().await;
}
