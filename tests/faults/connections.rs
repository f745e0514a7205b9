//! Database servers without a free connection.

use super::environment::Environment;
use super::load::RECOVERY_DEADLINE;
use crate::harness::{Service, within};
use sqlx::{Connection, PgConnection, PgPool};

/// SQLSTATE `too_many_connections`: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
/// PostgreSQL reserves some connections for superusers.
const TOO_MANY_CONNECTIONS: &str = "53300";

/// Number of connections that are opened concurrently.
const CONCURRENT: usize = 20;

/// The services lose their connections to the write database, then those to the read
/// database, while other clients take all connections of the server.
pub async fn exhausted(environment: &mut Environment) {
    let [write, read] = environment.shop.databases.monitoring_urls();
    environment.links.command_write.cut().await;
    let taken = take_all(&write, &environment.shop.databases.write).await;
    environment.links.command_write.open().await;
    wait_until_unhealthy(&environment.shop.command).await;
    environment.random_delay(2_000..10_000).await;
    drop(taken);
    environment.load.wait_for_orders(20).await;

    environment.links.consumer_read.cut().await;
    environment.links.query_read.cut().await;
    let taken = take_all(&read, &environment.shop.databases.read).await;
    environment.links.open().await;
    wait_until_unhealthy(&environment.shop.consumer).await;
    wait_until_unhealthy(&environment.shop.query).await;
    environment.random_delay(2_000..10_000).await;
    drop(taken);
}

async fn wait_until_unhealthy(service: &Service) {
    service.wait_for_health(|health| health.status == 503).await;
}

/// Takes all connections, as soon as the server has closed those of the services.
async fn take_all(url: &str, database: &PgPool) -> Vec<PgConnection> {
    within(RECOVERY_DEADLINE, async || {
        let connected: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND usename LIKE '%\\_service'",
        )
        .fetch_one(database)
        .await
        .unwrap();
        if connected == 0 { Ok(()) } else { Err(connected) }
    })
    .await;
    let mut taken = Vec::new();
    loop {
        let connecting = (0..CONCURRENT).map(|_| PgConnection::connect(url));
        let mut is_full = false;
        for connection in futures::future::join_all(connecting).await {
            match connection {
                Ok(connection) => taken.push(connection),
                Err(sqlx::Error::Database(error))
                    if error.code().as_deref() == Some(TOO_MANY_CONNECTIONS) =>
                {
                    is_full = true;
                }
                Err(error) => panic!("cannot connect: {error}"),
            }
        }
        if is_full {
            return taken;
        }
    }
}
