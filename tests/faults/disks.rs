//! Full disks.

use super::environment::Environment;
use crate::harness::SmallDisk;

/// The disk of the write database and then that of the read database are full for a while.
/// PostgreSQL refuses statements, or crashes and cannot start.
pub async fn of_databases(environment: &mut Environment) {
    let servers = environment.dedicated_servers();
    for database in ["db", "read_db"] {
        let disk = SmallDisk::attach(&servers, database).await;
        environment.load.wait_for_orders(20).await;
        let ballast = disk.fill().await;
        environment.random_delay(2_000..12_000).await;
        drop(ballast);
        servers.wait_until_back(database).await;
        environment.load.wait_for_orders(20).await;
        disk.detach().await;
    }
}
