//! A service's process, as the bench starts it.

use crate::client::Connection;
use crate::memory::Memory;
use crate::requests;
use anyhow::{Context, Result, bail};
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

/// Between two looks at a service that starts.
const POLL: Duration = Duration::from_millis(2);

/// A service that is not well by then will not be.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// How long a service may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// Ports of all services: any free ones.
const PORTS: [&str; 5] = [
    "COMMAND_SERVICE_PORT",
    "COMMAND_OPERATIONS_PORT",
    "QUERY_SERVICE_PORT",
    "QUERY_OPERATIONS_PORT",
    "CONSUMER_OPERATIONS_PORT",
];

/// Listening on the loopback interface alone.
const ADDRESSES: [&str; 2] = ["COMMAND_SERVICE_ADDRESS", "QUERY_SERVICE_ADDRESS"];

/// How many services have been started.
static STARTS: AtomicU32 = AtomicU32::new(0);

/// A running service. It is stopped when dropped.
#[derive(Debug)]
pub struct Service {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts a program with these settings; its log goes to a file in that
    /// folder.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(
        name: &'static str,
        command: &mut Command,
        settings: &[(&str, &str)],
        logs: &Path,
    ) -> Result<Self> {
        // One file for each start: addresses are read from it.
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

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its name and its process.
    pub fn part(&self) -> (String, u32) {
        (self.name.to_owned(), self.id())
    }

    /// The memory that it holds.
    pub fn memory(&self) -> Memory {
        Memory::of(self.id())
    }

    /// The address of one of its servers, `api` or `operations`, as it logs it.
    ///
    /// # Errors
    /// If it ends, or does not open it.
    pub async fn address(&mut self, server: &str) -> Result<SocketAddr> {
        let told = format!("{server}: listening on ");
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let rest = log.split_once(&told).map(|(_, rest)| rest);
            if let Some((address, _)) = rest.and_then(|rest| rest.split_once('\n')) {
                return address.trim().parse().with_context(|| format!("address {address:?}"));
            }
            self.wait_more(deadline, "does not listen").await?;
        }
    }

    /// Waits until its `/health` answers 200.
    ///
    /// # Errors
    /// If it ends, or is not well in time.
    pub async fn healthy(&mut self) -> Result<()> {
        let address = self.address("operations").await?;
        let mut request = Vec::new();
        requests::get(&mut request, format_args!("/health"));
        let mut connection = Connection::open(address).await?;
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            if connection.exchange(&request).await.is_ok_and(|answer| answer.status == 200) {
                return Ok(());
            }
            self.wait_more(deadline, "is not well").await?;
        }
    }

    async fn wait_more(&mut self, deadline: Instant, complaint: &str) -> Result<()> {
        let (name, log) = (self.name, self.log.display());
        if let Some(status) = self.child.try_wait()? {
            bail!("{name} has ended ({status}): see {log}");
        }
        if Instant::now() > deadline {
            bail!("{name} {complaint}: see {log}");
        }
        sleep(POLL).await;
        Ok(())
    }

    /// Asks it to end, and says whether it did in time.
    fn ends(&mut self) -> bool {
        let id = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(0));
        if !matches!(self.child.try_wait(), Ok(None)) {
            return true;
        }
        let _ = kill(id, Signal::SIGTERM);
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if !self.ends() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
