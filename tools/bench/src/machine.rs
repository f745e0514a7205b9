//! The machine, the servers and the code that are measured, and the speed of the disk.

use crate::servers::Servers;
use anyhow::{Context, Result};
use sqlx::{ConnectOptions, Connection};
use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The duration of a measurement of the disk.
const FLUSHING: Duration = Duration::from_secs(1);

/// A page of PostgreSQL, written before each flush.
const PAGE: [u8; 8192] = [0x5a; 8192];

/// A few lines about the machine, the servers and the code.
pub async fn describe(servers: &Servers, quick: bool) -> Result<Vec<String>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let model = field("/proc/cpuinfo", "model name");
    let memory = field("/proc/meminfo", "MemTotal");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut connection =
        servers.write.connect().await.context("cannot read PostgreSQL's version")?;
    let postgres: String =
        sqlx::query_scalar("SHOW server_version").fetch_one(&mut connection).await?;
    connection.close().await?;
    let broker = servers.broker_version().await.context("cannot read the broker's version")?;
    let mut lines = vec![
        format!("{cores} cores ({model}), memory {memory}, Linux {}", kernel.trim()),
        format!("PostgreSQL {postgres}, RabbitMQ {broker}, code {}", commit()),
    ];
    if quick {
        lines.push("--quick: everything once and briefly, not for comparison".to_owned());
    }
    Ok(lines)
}

/// The value of a line `name : value`; `unknown` if there is no such line.
pub fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim());
    value.unwrap_or("unknown").to_owned()
}

/// The commit, and whether anything was changed since.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output =
            Command::new("git").current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output();
        let output = output.ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else { return "unknown".to_owned() };
    match git(&["status", "--porcelain"]) {
        Some(changes) if !changes.is_empty() => format!("{commit} with changes"),
        _ => commit,
    }
}

/// Flushes (`fdatasync`) of one page per second, in a file of this folder. Every commit waits for
/// a flush; on a shared machine their rate varies most.
pub fn flushes_per_second(folder: &Path) -> Result<f64> {
    let path = folder.join("fsync-probe");
    let mut file =
        File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let begun = Instant::now();
    let mut flushes = 0_u32;
    while begun.elapsed() < FLUSHING {
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&PAGE)?;
        file.sync_data()?;
        flushes += 1;
    }
    let rate = f64::from(flushes) / begun.elapsed().as_secs_f64();
    fs::remove_file(&path)?;
    Ok(rate)
}
