//! Database servers without a free connection.

use super::stage::Stage;
use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, Postgres};

/// Too many connections, and superusers' are reserved:
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
const TOO_MANY: &str = "53300";

/// How many connections are opened at a time.
const AT_ONCE: usize = 20;

/// Others use up the connections of the write database's server, and then of the read
/// database's; the services lose theirs and get no new ones.
pub async fn used_up(stage: &mut Stage) {
    let urls = stage.shop.databases.monitoring_urls();
    let pools = [&stage.shop.databases.write, &stage.shop.databases.read].map(Clone::clone);
    for (url, pool) in urls.iter().zip(pools) {
        let mut operator = pool.acquire().await.unwrap();
        let mut taken = Vec::new();
        for _ in 0..4 {
            take_all(url, &mut taken).await;
            end_services(&mut operator).await;
        }
        take_all(url, &mut taken).await;
        stage.for_a_while(2_000..10_000).await;
        drop(taken);
        stage.load.answered(20).await;
    }
}

async fn take_all(url: &str, taken: &mut Vec<PgConnection>) {
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
            return;
        }
    }
}

async fn end_services(operator: &mut PoolConnection<Postgres>) {
    let end = "SELECT pg_terminate_backend(pid, 10000)
               FROM pg_stat_activity
               WHERE datname = current_database() AND usename LIKE '%\\_service'";
    sqlx::query(end).execute(&mut **operator).await.unwrap();
}
