//! Processes that are stopped and continued later, as on a suspended machine.

use super::environment::Stage;
use crate::harness::Paused;
use sqlx::PgPool;
use std::ops::Range;

/// A service, a backend of each database, and the broker, one after the other.
pub async fn short(stage: &mut Stage) {
    for number in 0..4 {
        pause(stage, number, 500..8_000).await;
        stage.load.answered(5).await;
    }
}

/// One of them, for longer than timeouts and heartbeats.
pub async fn long(stage: &mut Stage) {
    let number = stage.random.usize(..4);
    pause(stage, number, 25_000..60_000).await;
}

async fn pause(stage: &mut Stage, number: usize, milliseconds: Range<u64>) {
    let databases = &stage.shop.databases;
    let processes = match number {
        0 => stage.services().iter().map(|service| service.process()).collect(),
        1 => backends(&databases.write).await,
        2 => backends(&databases.read).await,
        _ => vec![stage.dedicated_servers().process("broker")],
    };
    let paused = Paused::process(processes[stage.random.usize(..processes.len())]);
    stage.for_a_while(milliseconds).await;
    drop(paused);
}

/// PostgreSQL's backends of the connections that services have used last.
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
