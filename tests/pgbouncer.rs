//! The services work through PgBouncer with the settings in `deploy/pgbouncer`.

use crate::harness::database::LEADERS;
use crate::harness::{Databases, Pooler, ServerPorts, Servers, Shop, assert_views_agree, execute};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

const SESSION_SETTINGS: &str = include_str!("../deploy/pgbouncer/session_settings.sql");

/// A shop whose services reach both databases through PgBouncer, with further settings.
async fn start_with_poolers(settings: &str) -> (Shop, [Pooler; 2]) {
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
async fn services_and_publisher_failover_work_in_session_mode() {
    let (mut shop, poolers) = start_with_poolers("").await;
    let other = shop.another_command_service();
    shop.healthy().await;
    other.healthy().await;
    let product = shop.product("Tea", "2.5", 100).await;
    for customer in 1..=20 {
        shop.place_order(customer, product, 1).await;
    }
    shop.caught_up().await;
    let sales = shop.get(&format!("/api/analytics/products/{product}/sales")).await;
    assert_eq!(sales.integer("totalRevenue"), 50);
    assert_eq!(shop.databases.query_write(LEADERS).await, 1);

    shop.command.kill();
    shop.command = other;
    shop.place_order(1, product, 1).await;
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    shop.databases.wait_for_write(LEADERS, 1).await;
    shop.stop().await;
    drop(poolers);
}

#[tokio::test]
async fn services_refuse_transaction_mode() {
    let (shop, poolers) = start_with_poolers("pool_mode = transaction").await;
    for service in shop.services() {
        service
            .wait_for_health(|health| {
                health.status == 503 && health.text.contains("must be in session mode")
            })
            .await;
    }
    shop.stop().await;
    drop(poolers);
}

#[tokio::test]
async fn settings_of_roles_replace_the_settings_that_pgbouncer_ignores() {
    let servers = Servers::of_environment();
    let databases = Databases::create(&servers).await;
    let pooler = Pooler::start(servers.write_port(), "").await;
    let options: PgConnectOptions =
        databases.url_through("command_service", pooler.port).parse().unwrap();
    let options = options.options([("lock_timeout", "7s")]);
    let (mut effective, mut open) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        // The first connection stays open, so that PgBouncer opens another one.
        let mut connection = PgConnection::connect_with(&options).await.unwrap();
        let lock_timeout: String =
            sqlx::query_scalar("SHOW lock_timeout").fetch_one(&mut connection).await.unwrap();
        effective.push(lock_timeout);
        open.push(connection);
        execute(&databases.write, SESSION_SETTINGS).await;
    }
    assert_eq!(effective, ["0", "1s"], "PgBouncer ignores the setting of the client");
    databases.delete().await;
}
