//! The services work through PgBouncer with the settings of `deploy/pgbouncer`.

use crate::harness::{
    Databases, Pooler, ServerPorts, Servers, Shop, assert_views_agree, eventually,
};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

const SESSION_SETTINGS: &str = include_str!("../deploy/pgbouncer/session_settings.sql");

/// The connection that holds a session lock: the leading publisher.
const LEADERS: &str = "SELECT count(*) FROM pg_locks
                       WHERE locktype = 'advisory' AND granted AND database =
                           (SELECT oid FROM pg_database WHERE datname = current_database())";

/// A shop whose services reach both databases through PgBouncer with these settings
/// besides those that are shipped.
async fn pooled(settings: &str) -> (Shop, [Pooler; 2]) {
    let servers = Servers::of_environment();
    let write = Pooler::start(servers.write_port(), settings).await;
    let read = Pooler::start(servers.read_port(), settings).await;
    let wiring = ServerPorts {
        command_write: write.port,
        consumer_read: read.port,
        query_read: read.port,
        ..ServerPorts::direct(&servers)
    };
    (Shop::spawn(&servers, wiring, None).await, [write, read])
}

#[tokio::test]
async fn services_work_and_a_standby_takes_over_in_session_mode() {
    let (mut shop, poolers) = pooled("").await;
    let other = shop.another_command_service();
    for service in [&shop.command, &shop.consumer, &shop.query, &other] {
        service.healthy().await;
    }
    let product = shop.product("Tea", "2.5", 100).await;
    for customer in 1..=20 {
        assert_eq!(shop.order(customer, product, 1).await.status, 201);
    }
    shop.caught_up().await;
    let sales = shop.get(&format!("/api/analytics/products/{product}/sales")).await;
    assert_eq!(sales.integer("totalRevenue"), 50);
    assert_eq!(shop.databases.query_write(LEADERS).await, 1);

    shop.command.kill();
    shop.command = other;
    assert_eq!(shop.order(1, product, 1).await.status, 201);
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    eventually(async || match shop.databases.query_write(LEADERS).await {
        1 => Ok(()),
        leaders => Err(leaders),
    })
    .await;
    shop.stop().await;
    drop(poolers);
}

#[tokio::test]
async fn services_refuse_transaction_mode() {
    let (shop, poolers) = pooled("pool_mode = transaction").await;
    for service in [&shop.command, &shop.consumer, &shop.query] {
        eventually(async || {
            let health = service.health().await;
            let is_named = health.text.contains("must be in session mode");
            if health.status == 503 && is_named { Ok(()) } else { Err(health.text) }
        })
        .await;
    }
    shop.stop().await;
    drop(poolers);
}

#[tokio::test]
async fn settings_of_roles_replace_those_that_are_dropped() {
    let servers = Servers::of_environment();
    let databases = Databases::create(&servers).await;
    let pooler = Pooler::start(servers.write_port(), "").await;
    let options: PgConnectOptions = databases.command_url(pooler.port).parse().unwrap();
    let options = options.options([("lock_timeout", "7s")]);
    let (mut in_force, mut open) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        // The first connection stays open, so that PgBouncer opens another one.
        let mut connection = PgConnection::connect_with(&options).await.unwrap();
        let lock_timeout: String =
            sqlx::query_scalar("SHOW lock_timeout").fetch_one(&mut connection).await.unwrap();
        in_force.push(lock_timeout);
        open.push(connection);
        sqlx::raw_sql(SESSION_SETTINGS).execute(&databases.write).await.unwrap();
    }
    assert_eq!(in_force, ["0", "1s"], "what the client asks for is dropped");
    databases.delete().await;
}
