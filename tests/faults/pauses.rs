//! Suspended processes, as on a suspended machine.

use super::environment::Environment;
use crate::harness::Paused;
use sqlx::PgPool;
use std::ops::Range;

/// A service, a backend of each database and the broker, one after the other.
pub async fn short(environment: &mut Environment) {
    for number in 0..4 {
        pause(environment, number, 500..8_000).await;
        environment.load.wait_for_orders(5).await;
    }
}

/// One of them, longer than timeouts and heartbeats.
pub async fn long(environment: &mut Environment) {
    let number = environment.random.usize(..4);
    pause(environment, number, 25_000..60_000).await;
}

async fn pause(environment: &mut Environment, number: usize, milliseconds: Range<u64>) {
    let databases = &environment.shop.databases;
    let processes = match number {
        0 => environment.services().iter().map(|service| service.process()).collect(),
        1 => backends(&databases.write).await,
        2 => backends(&databases.read).await,
        _ => vec![environment.dedicated_servers().process("broker")],
    };
    let paused = Paused::process(processes[environment.random.usize(..processes.len())]);
    environment.random_delay(milliseconds).await;
    drop(paused);
}

/// The PostgreSQL backends that services have used last.
async fn backends(database: &PgPool) -> Vec<u32> {
    let ids: Vec<i32> = sqlx::query_scalar(
        "SELECT pid FROM pg_stat_activity
         WHERE datname = current_database() AND usename <> current_user
             AND application_name <> 'health'
         ORDER BY state_change DESC
         LIMIT 3",
    )
    .fetch_all(database)
    .await
    .unwrap();
    ids.into_iter().map(i32::cast_unsigned).collect()
}
