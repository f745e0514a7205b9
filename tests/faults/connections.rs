//! Database servers without a free connection.

use super::environment::Stage;
use super::load::PATIENCE;
use crate::harness::{Service, within};
use sqlx::{Connection, PgConnection, PgPool};

/// Too many connections; the last ones are reserved for superusers:
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
const TOO_MANY: &str = "53300";

/// How many connections are opened at a time.
const AT_ONCE: usize = 20;

/// The services lose their connections to the write database, then those to the read
/// database, while other clients take all connections of the server.
pub async fn used_up(stage: &mut Stage) {
    let [write, read] = stage.shop.databases.monitoring_urls();
    stage.links.command_write.cut().await;
    let taken = take_all(&write, &stage.shop.databases.write).await;
    stage.links.command_write.open().await;
    is_down(&stage.shop.command).await;
    stage.for_a_while(2_000..10_000).await;
    drop(taken);
    stage.load.answered(20).await;

    stage.links.consumer_read.cut().await;
    stage.links.query_read.cut().await;
    let taken = take_all(&read, &stage.shop.databases.read).await;
    stage.links.open().await;
    is_down(&stage.shop.consumer).await;
    is_down(&stage.shop.query).await;
    stage.for_a_while(2_000..10_000).await;
    drop(taken);
}

async fn is_down(service: &Service) {
    within(PATIENCE, async || {
        let health = service.health().await;
        if health.status == 503 { Ok(()) } else { Err(health.text) }
    })
    .await;
}

/// Takes all connections, as soon as the server has noticed that those of the services
/// are closed.
async fn take_all(url: &str, database: &PgPool) -> Vec<PgConnection> {
    within(PATIENCE, async || {
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
        let connecting = (0..AT_ONCE).map(|_| PgConnection::connect(url));
        let mut is_full = false;
        for connection in futures::future::join_all(connecting).await {
            match connection {
                Ok(connection) => taken.push(connection),
                Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(TOO_MANY) => {
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
