//! Disks that are full.

use super::environment::Stage;
use crate::harness::SmallDisk;

/// The disk of the write database, and then that of the read database, is full for a
/// while. PostgreSQL refuses statements, or crashes and cannot start.
pub async fn of_databases(stage: &mut Stage) {
    let servers = stage.dedicated_servers();
    for database in ["db", "read_db"] {
        let disk = SmallDisk::of(&servers, database).await;
        stage.load.answered(20).await;
        let ballast = disk.fill().await;
        stage.for_a_while(2_000..12_000).await;
        drop(ballast);
        servers.back(database).await;
        stage.load.answered(20).await;
        disk.leave().await;
    }
}
