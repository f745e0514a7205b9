//! A database of another version is not changed, and health and log say what to do.

use crate::harness::{Databases, Servers, Service, eventually};
use sqlx::PgPool;

/// Data of an older version: other migrations under the same numbers, and on the read
/// side another schema first in the search path.
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

/// Starts the services that migrate.
fn start(databases: &Databases) -> [(Service, &PgPool); 2] {
    let servers = Servers::of_environment();
    let broker = || ("BROKER_URL", "amqp://127.0.0.1:1".to_owned());
    let command = ("DATABASE_URL", databases.command_url(servers.write_port()));
    let consumer = ("READ_DATABASE_URL", databases.consumer_url(servers.read_port()));
    [
        (Service::start("command-service", vec![command, broker()], None), &databases.write),
        (Service::start("consumer-service", vec![consumer, broker()], None), &databases.read),
    ]
}

/// Waits until health has the reason. After further attempts it is still logged once.
async fn refuses(service: &Service, database: &PgPool, why: &str) {
    let health = eventually(async || {
        let health = service.health().await;
        if health.text.contains(why) { Ok(health) } else { Err(health.text) }
    })
    .await;
    assert_eq!(health.status, 503);
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
    assert_eq!(service.log().matches(why).count(), 1, "{}", service.log());
}

#[tokio::test]
async fn data_of_an_older_version_is_told_once_with_what_to_do() {
    let databases = Databases::create(&Servers::of_environment()).await;
    for database in [&databases.write, &databases.read] {
        sqlx::raw_sql(OLD).execute(database).await.unwrap();
    }
    databases.grant().await;
    for (service, database) in start(&databases) {
        refuses(&service, database, "its data cannot be migrated").await;
        let log = service.log();
        assert!(log.contains("docker compose down -v") && log.contains("data folder"), "{log}");
    }
    databases.delete().await;
}

#[tokio::test]
async fn data_of_a_newer_version_is_told_apart() {
    let databases = Databases::create(&Servers::of_environment()).await;
    for (service, _) in start(&databases) {
        migrated(&service).await;
    }
    for database in [&databases.write, &databases.read] {
        let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum,
                                                   execution_time)
                     VALUES (9999, 'new', TRUE, sha384('new'), 1)";
        sqlx::raw_sql(newer).execute(database).await.unwrap();
    }
    for (service, database) in start(&databases) {
        refuses(&service, database, "a newer version has migrated this database").await;
    }
    databases.delete().await;
}

async fn migrated(service: &Service) {
    eventually(async || {
        let health = service.health().await;
        let database = &health.body["database"]["status"];
        if database == "up" { Ok(()) } else { Err(health.text) }
    })
    .await;
}
