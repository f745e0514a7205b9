//! Brokers and databases that stop, die, or are full.

use super::environment::Stage;
use super::load::PATIENCE;
use crate::harness::within;

const BROKER: &str = "broker";
const DATABASES: [&str; 2] = ["db", "read_db"];

/// Lets queues grow older than the half second after which RabbitMQ 3.10 has on disk
/// who holds a new quorum queue: one of a node that is killed before never has a
/// leader again.
async fn queues_settle(stage: &mut Stage) {
    stage.for_a_while(2_000..4_000).await;
}

/// Ends a server by a signal, and waits until it has been started again.
async fn restart(stage: &mut Stage, server: &str, signal: &str) {
    queues_settle(stage).await;
    let servers = stage.dedicated_servers();
    servers.end(&[server], signal).await;
    servers.back(server).await;
}

/// The broker is shut down and started.
pub async fn broker_stopped(stage: &mut Stage) {
    restart(stage, BROKER, "TERM").await;
}

/// The broker is killed and started.
pub async fn broker_killed(stage: &mut Stage) {
    restart(stage, BROKER, "KILL").await;
}

/// The broker is short of memory, and accepts no messages; orders go on.
pub async fn broker_full(stage: &mut Stage) {
    let setting = "set_vm_memory_high_watermark";
    broker_alarm(stage, &[setting, "absolute", "1MB"], &[setting, "0.4"]).await;
}

/// The broker's disk is almost full. RabbitMQ has one reaction to that, whatever the
/// size of the disk: below its limit of free space it accepts no messages.
pub async fn broker_disk_full(stage: &mut Stage) {
    let setting = "set_disk_free_limit";
    broker_alarm(stage, &[setting, "1000000GB"], &[setting, "50MB"]).await;
}

async fn broker_alarm(stage: &mut Stage, raise: &[&str], clear: &[&str]) {
    let servers = stage.dedicated_servers();
    servers.control_broker(raise).await;
    within(PATIENCE, async || {
        let health = stage.shop.command.health().await;
        if health.body["broker"]["status"] == "down" { Ok(()) } else { Err(health.text) }
    })
    .await;
    stage.load.answered(50).await;
    servers.control_broker(clear).await;
}

/// A database is shut down, fast or immediately, and started.
pub async fn database_stopped(stage: &mut Stage) {
    for _ in 0..2 {
        let database = DATABASES[stage.random.usize(..2)];
        // Fast: clients are sent away. Immediate: it leaves, and recovers at its start.
        let signal = ["INT", "QUIT"][stage.random.usize(..2)];
        restart(stage, database, signal).await;
    }
}

/// A database is killed, and all of its processes with it.
pub async fn database_killed(stage: &mut Stage) {
    let database = DATABASES[stage.random.usize(..2)];
    restart(stage, database, "KILL").await;
}

/// Everything that servers must be spared, once.
pub async fn in_turn(stage: &mut Stage) {
    broker_killed(stage).await;
    stage.load.answered(20).await;
    for database in DATABASES {
        restart(stage, database, "KILL").await;
        stage.load.answered(20).await;
    }
    broker_full(stage).await;
}

/// The machine fails: servers and services are killed at once.
pub async fn all_at_once(stage: &mut Stage) {
    queues_settle(stage).await;
    let servers = stage.dedicated_servers();
    servers.end(&[DATABASES[0], DATABASES[1], BROKER], "KILL").await;
    for service in stage.services() {
        service.kill();
    }
    for service in stage.services() {
        service.restart();
    }
    for server in [DATABASES[0], DATABASES[1], BROKER] {
        servers.back(server).await;
    }
}
