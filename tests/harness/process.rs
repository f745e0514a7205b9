//! A service's process.

use super::http::{Response, client};
use super::wait::eventually;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use uuid::Uuid;

/// A running service. It is killed when dropped.
#[derive(Debug)]
pub struct Service {
    name: &'static str,
    child: Child,
    log: PathBuf,
    settings: Vec<(&'static str, String)>,
    /// Where logs are kept; none if they are printed when a test fails.
    logs: Option<PathBuf>,
}

impl Service {
    /// Starts a service with these settings, on any free ports but those that they
    /// say. Its log is kept in the folder, if there is one; else it is printed if
    /// the test fails.
    pub fn start(
        name: &'static str,
        settings: Vec<(&'static str, String)>,
        logs: Option<&Path>,
    ) -> Self {
        let folder = logs.map_or_else(env::temp_dir, Path::to_owned);
        let log = folder.join(format!("{name}-{}.log", Uuid::now_v7()));
        let child = Command::new(program(name))
            .envs(PORTS.map(|port| (port, "0")))
            .env_remove("RUST_LOG")
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { name, child, log, settings, logs: logs.map(Path::to_owned) }
    }

    /// Kills the process at once, as a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again after [`Service::kill`].
    pub fn restart(&mut self) {
        let settings = std::mem::take(&mut self.settings);
        *self = Self::start(self.name, settings, self.logs.take().as_deref());
    }

    /// Kills it and starts it with another setting besides.
    pub fn restart_with(&mut self, setting: &'static str, value: &str) {
        self.restart_with_all(&[(setting, value)]);
    }

    /// The same with several settings.
    pub fn restart_with_all(&mut self, settings: &[(&'static str, &str)]) {
        self.kill();
        self.settings.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        self.restart();
    }

    /// Kills it and starts it with another time of day, by libfaketime: `+10m` is ten
    /// minutes ahead.
    pub fn restart_with_clock(&mut self, by: &str) {
        let folders = fs::read_dir("/usr/lib").unwrap().flatten();
        let mut libraries = folders.map(|entry| entry.path().join("faketime/libfaketime.so.1"));
        let library = libraries.find(|path| path.exists());
        let library = library.expect("libfaketime is not installed: Debian's package faketime");
        self.restart_with_all(&[
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("FAKETIME", by),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ]);
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The id of its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name.
    pub fn signal(&self, signal: &str) {
        let arguments = ["-s", signal, &self.child.id().to_string()];
        let sent = Command::new("kill").args(arguments).status().unwrap();
        assert!(sent.success(), "cannot send {signal} to {}", self.name);
    }

    /// The peak resident memory of the process, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kilobytes: u64 = peak.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        kilobytes * 1024
    }

    /// Waits until the process ends by itself; how it did.
    pub async fn wait_for_exit(&mut self) -> ExitStatus {
        let child = &mut self.child;
        eventually(async || child.try_wait().unwrap().ok_or("still running")).await
    }

    /// The address of one of its servers, `api` or `operations`, as it logs it.
    pub async fn address(&self, server: &str) -> String {
        let told = format!("{server}: listening on ");
        eventually(async || {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let rest = log.split_once(&told).map(|(_, rest)| rest.to_owned());
            // It is the end of a line, or of a member.
            let address =
                rest.and_then(|rest| rest.split_once(['\n', '"']).map(|(a, _)| a.to_owned()));
            address.map(|address| address.replace("0.0.0.0", "127.0.0.1")).ok_or(log)
        })
        .await
    }

    /// All that it has logged since it was started last.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// The port of one of its servers.
    pub async fn port(&self, server: &str) -> u16 {
        let address = self.address(server).await;
        address.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// `GET /health` on the operations port.
    pub async fn health(&self) -> Response {
        let url = format!("http://{}/health", self.address("operations").await);
        eventually(async || Response::to(client().get(&url)).await).await
    }

    /// Waits until the service is well.
    pub async fn healthy(&self) {
        eventually(async || {
            let health = self.health().await;
            if health.status == 200 { Ok(()) } else { Err(health.text) }
        })
        .await;
    }
}

const PORTS: [&str; 5] = [
    "COMMAND_SERVICE_PORT",
    "COMMAND_OPERATIONS_PORT",
    "QUERY_SERVICE_PORT",
    "QUERY_OPERATIONS_PORT",
    "CONSUMER_OPERATIONS_PORT",
];

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if self.logs.is_some() {
            return;
        }
        if std::thread::panicking() {
            eprintln!("--- log of {}", self.name);
            eprintln!("{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
        let _ = fs::remove_file(&self.log);
    }
}

/// A program of ours: where `cargo stack test` says they are, or beside this
/// test.
pub fn program(name: &str) -> PathBuf {
    let folder = env::var_os("SERVICE_BINARIES").map_or_else(
        || env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned(),
        PathBuf::from,
    );
    folder.join(name)
}
