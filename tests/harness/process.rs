//! The process of a service.

use super::http::{Response, client};
use super::wait::eventually;
use clap::CommandFactory;
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
    /// The folder that keeps the logs. Without one, the log of a failed test is printed.
    logs: Option<PathBuf>,
}

impl Service {
    /// Starts a service with these settings. Ports that they do not set are free ones. The
    /// log is kept in the folder; without a folder it is printed if the test fails.
    pub fn start(
        name: &'static str,
        settings: Vec<(&'static str, String)>,
        logs: Option<&Path>,
    ) -> Self {
        let folder = logs.map_or_else(env::temp_dir, Path::to_owned);
        let log = folder.join(format!("{name}-{}.log", Uuid::now_v7()));
        let child = Command::new(program(name))
            .envs(port_settings(name).into_iter().map(|port| (port, "0")))
            .env_remove("RUST_LOG")
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { name, child, log, settings, logs: logs.map(Path::to_owned) }
    }

    /// Sends SIGKILL, as a power failure would end the process.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts the process again after [`Service::kill`].
    pub fn restart(&mut self) {
        let settings = std::mem::take(&mut self.settings);
        *self = Self::start(self.name, settings, self.logs.take().as_deref());
    }

    /// Kills the process and starts it with further settings.
    pub fn restart_with(&mut self, settings: &[(&'static str, &str)]) {
        self.kill();
        self.settings.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        self.restart();
    }

    /// Kills the process and starts it with another clock, by libfaketime. `+10m` is ten
    /// minutes ahead.
    pub fn restart_with_clock(&mut self, offset: &str) {
        let folders = fs::read_dir("/usr/lib").unwrap().flatten();
        let mut libraries = folders.map(|entry| entry.path().join("faketime/libfaketime.so.1"));
        let library = libraries.find(|path| path.exists());
        let library = library.expect("libfaketime is not installed: Debian's package faketime");
        self.restart_with(&[
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("FAKETIME", offset),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ]);
    }

    /// The name of the service.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The id of the process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
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

    /// Waits until the process has ended.
    pub async fn wait_for_exit(&mut self) -> ExitStatus {
        let child = &mut self.child;
        eventually(async || child.try_wait().unwrap().ok_or("still running")).await
    }

    /// The address of the server `api` or `operations`, as logged by the service.
    pub async fn address(&self, server: &str) -> String {
        let prefix = format!("{server}: listening on ");
        eventually(async || {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let rest = log.split_once(&prefix).map(|(_, rest)| rest.to_owned());
            // It ends with the line, or with the string of a JSON line.
            let address =
                rest.and_then(|rest| rest.split_once(['\n', '"']).map(|(a, _)| a.to_owned()));
            address.map(|address| address.replace("0.0.0.0", "127.0.0.1")).ok_or(log)
        })
        .await
    }

    /// The URL of a path on the server `api` or `operations`.
    pub async fn url(&self, server: &str, path: &str) -> String {
        format!("http://{}{path}", self.address(server).await)
    }

    /// The port of the server `api` or `operations`.
    pub async fn port(&self, server: &str) -> u16 {
        let address = self.address(server).await;
        address.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// The log since the last start.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// `GET /health` on the operations port.
    pub async fn health(&self) -> Response {
        let url = self.url("operations", "/health").await;
        eventually(async || Response::to(client().get(&url)).await).await
    }

    /// Waits until `/health` on the operations port meets a condition.
    pub async fn wait_for_health(&self, condition: impl Fn(&Response) -> bool) -> Response {
        eventually(async || self.health().await.ok_if(&condition)).await
    }

    /// Waits until the service is healthy.
    pub async fn healthy(&self) {
        self.wait_for_health(|health| health.status == 200).await;
    }
}

/// The settings of a service.
pub fn settings(service: &str) -> clap::Command {
    match service {
        "command-service" => command_service::Config::command(),
        "consumer-service" => consumer_service::Config::command(),
        "query-service" => query_service::Config::command(),
        other => panic!("there is no service {other}"),
    }
}

/// The settings of a service that are ports.
fn port_settings(service: &str) -> Vec<String> {
    let command = settings(service);
    let variables = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str());
    variables.filter(|name| name.ends_with("_PORT")).map(str::to_owned).collect()
}

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

/// The path of a program of the workspace: in the folder set by `cargo stack test`, or
/// beside the test program.
pub fn program(name: &str) -> PathBuf {
    let folder = env::var_os("SERVICE_BINARIES").map_or_else(
        || env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned(),
        PathBuf::from,
    );
    folder.join(name)
}
