//! Broker and databases that are stopped, killed or full.

use super::environment::Environment;

const BROKER: &str = "broker";
const DATABASES: [&str; 2] = ["db", "read_db"];

/// RabbitMQ 3.10 stores the members of a new quorum queue after half a second. If a node is
/// killed earlier, the queue never has a leader again. Scenarios start later than that.
async fn wait_for_stored_queues(environment: &mut Environment) {
    environment.random_delay(2_000..4_000).await;
}

/// Sends a signal to a server and waits until it has restarted.
async fn restart(environment: &mut Environment, server: &str, signal: &str) {
    wait_for_stored_queues(environment).await;
    let servers = environment.dedicated_servers();
    servers.terminate(&[server], signal).await;
    servers.wait_until_back(server).await;
}

/// The broker shuts down and restarts.
pub async fn broker_stopped(environment: &mut Environment) {
    restart(environment, BROKER, "TERM").await;
}

/// The broker is killed and restarts.
pub async fn broker_killed(environment: &mut Environment) {
    restart(environment, BROKER, "KILL").await;
}

/// The memory alarm: the broker accepts no messages, and orders are accepted.
pub async fn broker_full(environment: &mut Environment) {
    let setting = "set_vm_memory_high_watermark";
    broker_alarm(environment, &[setting, "absolute", "1MB"], &[setting, "0.4"]).await;
}

/// The disk alarm: below a limit of free space the broker accepts no messages.
pub async fn broker_disk_full(environment: &mut Environment) {
    let setting = "set_disk_free_limit";
    broker_alarm(environment, &[setting, "1000000GB"], &[setting, "50MB"]).await;
}

async fn broker_alarm(environment: &mut Environment, raise: &[&str], clear: &[&str]) {
    let servers = environment.dedicated_servers();
    servers.rabbitmqctl(raise).await;
    let command = &environment.shop.command;
    command.wait_for_health(|health| health.body["broker"]["status"] == "down").await;
    environment.load.wait_for_orders(50).await;
    servers.rabbitmqctl(clear).await;
}

/// A random database shuts down, fast or immediate, and restarts, twice.
pub async fn database_stopped(environment: &mut Environment) {
    for _ in 0..2 {
        let database = DATABASES[environment.random.usize(..2)];
        // SIGINT: fast shutdown. SIGQUIT: immediate shutdown, with recovery at the start.
        let signal = ["INT", "QUIT"][environment.random.usize(..2)];
        restart(environment, database, signal).await;
    }
}

/// All processes of a random database are killed.
pub async fn database_killed(environment: &mut Environment) {
    let database = DATABASES[environment.random.usize(..2)];
    restart(environment, database, "KILL").await;
}

/// All server faults, one after the other.
pub async fn in_turn(environment: &mut Environment) {
    broker_killed(environment).await;
    environment.load.wait_for_orders(20).await;
    for database in DATABASES {
        restart(environment, database, "KILL").await;
        environment.load.wait_for_orders(20).await;
    }
    broker_full(environment).await;
}

/// The machine fails: all servers and services are killed at once.
pub async fn all_at_once(environment: &mut Environment) {
    wait_for_stored_queues(environment).await;
    let servers = environment.dedicated_servers();
    servers.terminate(&[DATABASES[0], DATABASES[1], BROKER], "KILL").await;
    for service in environment.services() {
        service.kill();
    }
    for service in environment.services() {
        service.restart();
    }
    for server in [DATABASES[0], DATABASES[1], BROKER] {
        servers.wait_until_back(server).await;
    }
}
