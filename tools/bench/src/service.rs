//! The process of a service.

use crate::machine::field;
use crate::requests;
use anyhow::{Context, Result, bail, ensure};
use kit::Connection;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Time between two checks of a service that starts.
const POLL: Duration = Duration::from_millis(2);

/// How long a service may take to become healthy.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// How long a service may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(10);

/// The ports of all services, set to any free port.
const PORTS: [&str; 5] = [
    "COMMAND_SERVICE_PORT",
    "COMMAND_OPERATIONS_PORT",
    "QUERY_SERVICE_PORT",
    "QUERY_OPERATIONS_PORT",
    "CONSUMER_OPERATIONS_PORT",
];

/// The addresses of all services, set to the loopback address.
const ADDRESSES: [&str; 2] = ["COMMAND_SERVICE_ADDRESS", "QUERY_SERVICE_ADDRESS"];

/// How many services were started.
static STARTS: AtomicU32 = AtomicU32::new(0);

/// A running service. Dropping it stops it.
#[derive(Debug)]
pub struct Service {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts a program with these settings. Its log goes to a file in the folder `logs`.
    pub fn start(
        name: &'static str,
        command: &mut Command,
        settings: &[(&str, &str)],
        logs: &Path,
    ) -> Result<Self> {
        // One file per start, because addresses are read from it.
        let log = logs.join(format!("{name}-{}.log", STARTS.fetch_add(1, Ordering::Relaxed)));
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = command
            .envs(PORTS.map(|port| (port, "0")))
            .envs(ADDRESSES.map(|address| (address, "127.0.0.1")))
            .env_remove("RUST_LOG")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child, log })
    }

    /// Its name and process id.
    pub fn part(&self) -> (String, u32) {
        (self.name.to_owned(), self.child.id())
    }

    /// Its resident memory, `VmRSS` or at its peak `VmHWM`, in megabytes (10^6 bytes).
    pub fn memory(&self, kind: &str) -> f64 {
        megabytes(&field(&format!("/proc/{}/status", self.child.id()), kind))
    }

    /// The address of one of its servers, `api` or `operations`, as it logs it.
    pub async fn address(&mut self, server: &str) -> Result<SocketAddr> {
        let prefix = format!("{server}: listening on ");
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let rest = log.split_once(&prefix).map(|(_, rest)| rest);
            if let Some((address, _)) = rest.and_then(|rest| rest.split_once('\n')) {
                return address.trim().parse().with_context(|| format!("address {address:?}"));
            }
            self.wait_more(deadline, "does not listen").await?;
        }
    }

    /// Waits until its `/health` responds with 200.
    pub async fn healthy(mut self) -> Result<Self> {
        let address = self.address("operations").await?;
        let mut request = Vec::new();
        requests::get(&mut request, "/health");
        let mut connection = Connection::new(address);
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            if connection.exchange(&request).await.is_ok_and(|response| response.status == 200) {
                return Ok(self);
            }
            self.wait_more(deadline, "is not healthy").await?;
        }
    }

    async fn wait_more(&mut self, deadline: Instant, problem: &str) -> Result<()> {
        let (name, log) = (self.name, self.log.display());
        if let Some(status) = self.child.try_wait()? {
            bail!("{name} has ended ({status}): see {log}");
        }
        if Instant::now() > deadline {
            bail!("{name} {problem}: see {log}");
        }
        sleep(POLL).await;
        Ok(())
    }

    /// Checks that a path of the API responds with 200.
    pub async fn check_get(&mut self, path: &str) -> Result<()> {
        let mut connection = Connection::new(self.address("api").await?);
        let mut request = Vec::new();
        requests::get(&mut request, path);
        let response = connection.exchange(&request).await.with_context(|| path.to_owned())?;
        ensure!(response.status == 200, "{path} responds {}", response.status);
        Ok(())
    }

    fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let id = i32::try_from(self.child.id()).ok().map(Pid::from_raw);
        if let Some(id) = id.filter(|_| self.is_running()) {
            let _ = kill(id, Signal::SIGTERM);
        }
        let deadline = Instant::now() + GRACE;
        while self.is_running() {
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Reads `12345 kB`, where kB means 1024 bytes (proc(5)); 0 if there is no such process.
fn megabytes(size: &str) -> f64 {
    size.trim_end_matches(" kB").parse().map_or(0.0, |kilobytes: f64| kilobytes * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_megabytes() {
        assert_eq!(megabytes("250000 kB"), 256.0);
        assert_eq!(megabytes("unknown"), 0.0);
        for kind in ["VmRSS", "VmHWM"] {
            assert!(megabytes(&field("/proc/self/status", kind)) > 0.0, "{kind}");
        }
    }
}
