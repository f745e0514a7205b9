//! A database with its data on a small disk.

use super::dedicated_servers::DedicatedServers;
use super::wait::within;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Moves the data away, so that a server fails if it starts too early. `$1` is the data
/// folder.
const ASIDE: &str = r#"mv "$1" "$1.aside""#;
/// Moves the data to a file system with 512 MiB of free space.
const ON_SMALL_DISK: &str = r#"
    size=$(($(du --summarize --block-size=1K "$1.aside" | cut -f1) + 524288))
    mkdir "$1.small"
    mount -t tmpfs -o "size=${size}k" tmpfs "$1.small"
    cp -a "$1.aside/." "$1.small"
    mkdir "$1"
    mount --move "$1.small" "$1"
    rmdir "$1.small"
    rm -r "$1.aside""#;
// The same in the other direction.
const MOUNT_ASIDE: &str = r#"mkdir "$1.aside"; mount --move "$1" "$1.aside"; rmdir "$1""#;
const ON_DISK: &str = r#"
    cp -a "$1.aside" "$1.copy"
    umount "$1.aside"
    rmdir "$1.aside"
    mv "$1.copy" "$1""#;

/// Time by which a server reports that its disk is full.
const REPORT_DEADLINE: Duration = Duration::from_secs(60);

/// A database with its data on a small disk.
#[derive(Debug)]
pub struct SmallDisk<'a> {
    servers: &'a DedicatedServers,
    database: &'static str,
    data: PathBuf,
}

/// A file that takes all free space. It is deleted when dropped.
#[derive(Debug)]
pub struct Ballast(PathBuf);

impl<'a> SmallDisk<'a> {
    /// Restarts a database with its data on a small disk. Requires
    /// [`DedicatedServers::can_mount`].
    pub async fn attach(servers: &'a DedicatedServers, database: &'static str) -> Self {
        // The data folder is the working directory of the server.
        let data = fs::read_link(format!("/proc/{}/cwd", servers.process(database))).unwrap();
        let disk = Self { servers, database, data };
        disk.move_data(ASIDE, ON_SMALL_DISK).await;
        disk
    }

    /// Restarts the database with its data in the original place.
    pub async fn detach(self) {
        self.move_data(MOUNT_ASIDE, ON_DISK).await;
    }

    async fn move_data(&self, aside: &str, back: &str) {
        let data = self.data.to_str().unwrap();
        self.servers.terminate(&[self.database], "INT").await;
        self.servers.run_in_mount_namespace(aside, data).await;
        // The server may have restarted just before.
        self.servers.terminate(&[self.database], "INT").await;
        self.servers.run_in_mount_namespace(back, data).await;
        self.servers.wait_until_back(self.database).await;
    }

    /// Fills the disk and waits until the server reports it.
    pub async fn fill(&self) -> Ballast {
        let log = self.data.ancestors().nth(2).unwrap().join(format!("{}.log", self.database));
        let reports = || {
            let log = fs::read(&log).unwrap();
            String::from_utf8_lossy(&log).matches("No space left on device").count()
        };
        let before = reports();
        let path = self.servers.path_in_mount_namespace(&self.data).join("ballast");
        let ballast = Ballast(path);
        let mut file = File::create(&ballast.0).unwrap();
        for block in [1 << 20, 1 << 12, 1] {
            while file.write_all(&vec![0; block]).is_ok() {}
        }
        within(REPORT_DEADLINE, async || if reports() > before { Ok(()) } else { Err("no error") })
            .await;
        ballast
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
