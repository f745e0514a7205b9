//! A database's data on a disk with little room.

use super::dedicated_servers::DedicatedServers;
use super::wait::within;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Moves the data away, so that a server started meanwhile fails at once. `$1` is the
/// data folder.
const ASIDE: &str = r#"mv "$1" "$1.aside""#;
/// Moves it to a file system of its own with 512 MiB.
const ON_SMALL_DISK: &str = r#"
    size=$(($(du --summarize --block-size=1K "$1.aside" | cut -f1) + 524288))
    mkdir "$1.small"
    mount -t tmpfs -o "size=${size}k" tmpfs "$1.small"
    cp -a "$1.aside/." "$1.small"
    mkdir "$1"
    mount --move "$1.small" "$1"
    rmdir "$1.small"
    rm -r "$1.aside""#;
/// Both the other way round.
const MOUNT_ASIDE: &str = r#"mkdir "$1.aside"; mount --move "$1" "$1.aside"; rmdir "$1""#;
const ON_DISK: &str = r#"
    cp -a "$1.aside" "$1.copy"
    umount "$1.aside"
    rmdir "$1.aside"
    mv "$1.copy" "$1""#;

/// How long a server may go on after its disk is full.
const UNNOTICED: Duration = Duration::from_secs(60);

/// A database whose data is on a small disk.
#[derive(Debug)]
pub struct SmallDisk<'a> {
    servers: &'a DedicatedServers,
    database: &'static str,
    data: PathBuf,
}

/// A file that uses all free space. It is deleted when dropped.
#[derive(Debug)]
pub struct Ballast(PathBuf);

impl<'a> SmallDisk<'a> {
    /// Restarts a database with its data on a small disk. Only where `DedicatedServers` may
    /// mount.
    pub async fn of(servers: &'a DedicatedServers, database: &'static str) -> Self {
        // The server works in the folder of its data.
        let data = fs::read_link(format!("/proc/{}/cwd", servers.process(database))).unwrap();
        let disk = Self { servers, database, data };
        disk.exchange(ASIDE, ON_SMALL_DISK).await;
        disk
    }

    /// Restarts the database with its data where it was.
    pub async fn leave(self) {
        self.exchange(MOUNT_ASIDE, ON_DISK).await;
    }

    async fn exchange(&self, aside: &str, place: &str) {
        let data = self.data.to_str().unwrap();
        self.servers.end(&[self.database], "INT").await;
        self.servers.in_its_mounts(aside, data).await;
        // It may have been started again just before.
        self.servers.end(&[self.database], "INT").await;
        self.servers.in_its_mounts(place, data).await;
        self.servers.back(self.database).await;
    }

    /// Fills the disk, and waits until the server notices.
    pub async fn fill(&self) -> Ballast {
        let log = self.data.ancestors().nth(2).unwrap().join(format!("{}.log", self.database));
        let complaints = || {
            let log = fs::read(&log).unwrap();
            String::from_utf8_lossy(&log).matches("No space left on device").count()
        };
        let before = complaints();
        let path = self.servers.seen_by_it(&self.data).join("ballast");
        let ballast = Ballast(path);
        let mut file = File::create(&ballast.0).unwrap();
        for block in [1 << 20, 1 << 12, 1] {
            while file.write_all(&vec![0; block]).is_ok() {}
        }
        within(UNNOTICED, async || if complaints() > before { Ok(()) } else { Err("no error") })
            .await;
        ballast
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
