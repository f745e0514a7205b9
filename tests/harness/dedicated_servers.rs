//! Servers that may be killed.

use super::process::program;
use super::servers::Servers;
use super::wait::within;
use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

/// How long servers may take to start, where nothing is installed yet or much else
/// goes on.
const START: Duration = Duration::from_secs(180);

/// Databases and a broker of our own, by `cargo stack infra --throw-away`, which
/// starts again what dies.
#[derive(Debug)]
pub struct DedicatedServers {
    /// Their addresses.
    pub servers: Servers,
    /// The record of their processes.
    record: PathBuf,
    stack: Stack,
    /// Whether file systems can be mounted for them, which requires root.
    pub can_mount: bool,
}

/// Runs a program in a mount namespace, which ends with its last process.
const UNSHARE: &str = "unshare";
const OWN_MOUNTS: [&str; 3] = ["--mount", "--propagation", "private"];

fn can_mount() -> bool {
    let mut trial = Command::new(UNSHARE);
    trial.args(OWN_MOUNTS).args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
    trial.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The process that looks after them. It stops them when it is dropped.
#[derive(Debug)]
struct Stack(Mutex<Child>);

impl DedicatedServers {
    /// Starts servers under a name that nobody else uses. What `cargo stack` says
    /// goes to a file in the folder.
    pub async fn start(name: &str, logs: &Path) -> Self {
        let (told, log) = (logs.join("servers.env"), logs.join("servers.log"));
        let can_mount = can_mount();
        let mut command = Command::new(if can_mount { UNSHARE.into() } else { program("stack") });
        if can_mount {
            command.args(OWN_MOUNTS).arg(program("stack"));
        }
        let stack = command
            .args(["infra", "--throw-away", name])
            .stdin(Stdio::null())
            .stdout(File::create(&told).unwrap())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start the stack: {error}"));
        let stack = Stack(Mutex::new(stack));
        let exports = within(START, async || {
            let ended = stack.0.lock().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "{}", fs::read_to_string(&log).unwrap_or_default());
            let exports = exports(&fs::read_to_string(&told).unwrap_or_default());
            if exports.contains_key("STACK_PROCESSES") { Ok(exports) } else { Err("starting") }
        })
        .await;
        let servers = Servers::named(|name| exports.get(name).cloned());
        let record = PathBuf::from(&exports["STACK_PROCESSES"]);
        Self { servers, record, stack, can_mount }
    }

    /// Sends a signal to servers at once, and waits until they have ended. A SIGKILL
    /// goes to all that they have started, too.
    pub async fn end(&self, names: &[&str], signal: &str) {
        let leaders: Vec<u32> = names.iter().map(|name| self.process(name)).collect();
        let mut all = leaders.clone();
        if signal == "KILL" {
            all.extend(leaders.iter().flat_map(|leader| children(*leader)));
        }
        let ids = all.iter().map(ToString::to_string);
        // Of a server's children one may have ended by itself meanwhile.
        let mut kill = Command::new("kill");
        let _ = kill.args(["-s", signal]).args(ids).stderr(Stdio::null()).status().unwrap();
        within(START, async || {
            let left = leaders.iter().filter(|id| is_alive(**id)).count();
            if left == 0 { Ok(()) } else { Err(format!("{left} of {names:?} still run")) }
        })
        .await;
    }

    /// Waits until a server that has ended is back and responses.
    pub async fn back(&self, name: &str) {
        within(START, async || {
            if !is_alive(self.process(name)) {
                return Err(format!("{name} has not been started again"));
            }
            match name {
                "db" => self.servers.write_answers().await,
                "read_db" => self.servers.read_answers().await,
                _ => self.servers.broker_answers().await,
            }
        })
        .await;
    }

    /// Runs `rabbitmqctl` for the broker.
    pub async fn control_broker(&self, arguments: &[&str]) {
        let broker = fs::read(format!("/proc/{}/environ", self.process("broker"))).unwrap();
        let environment: HashMap<String, String> = broker
            .split(|byte| *byte == 0)
            .filter_map(|entry| {
                let (name, value) = std::str::from_utf8(entry).ok()?.split_once('=')?;
                Some((name.to_owned(), value.to_owned()))
            })
            .collect();
        // The node's tools are beside its plugins.
        let (plugins, _) =
            environment["ERL_LIBS"].split_once(':').unwrap_or((&environment["ERL_LIBS"], ""));
        let program = Path::new(plugins).with_file_name("sbin").join("rabbitmqctl");
        let output = tokio::process::Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(&environment)
            // The port that the node listens on for this is taken.
            .env_remove("RABBITMQ_DIST_PORT")
            .output()
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "rabbitmqctl {arguments:?}: {text}");
    }

    /// Runs a shell script with the servers' mounts; `$1` is the argument.
    pub async fn in_its_mounts(&self, script: &str, argument: &str) {
        let stack = self.stack.0.lock().unwrap().id().to_string();
        let output = tokio::process::Command::new("nsenter")
            .args(["--target", &stack, "--mount", "sh", "-eu", "-c", script, "sh", argument])
            .output()
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {text}");
    }

    /// The path of a file that the servers see under this path.
    pub fn seen_by_it(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.stack.0.lock().unwrap().id()));
        root.join(path.strip_prefix("/").unwrap())
    }

    /// The id of the process that was started last under that name.
    pub fn process(&self, name: &str) -> u32 {
        let record = fs::read_to_string(&self.record).unwrap();
        let entry = record.lines().rev().find(|line| line.ends_with(&format!("\t{name}")));
        entry.and_then(|entry| entry.split('\t').next()?.parse().ok()).unwrap()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let stack = self.0.get_mut().unwrap();
        let _ = Command::new("kill").args(["-s", "TERM", &stack.id().to_string()]).status();
        let _ = stack.wait();
    }
}

/// From lines like `export NAME='value'`.
fn exports(text: &str) -> HashMap<String, String> {
    text.lines()
        .filter_map(|line| {
            let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('\'').to_owned()))
        })
        .collect()
}

/// What a process has started and not yet outlived.
fn children(process: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    children.unwrap_or_default().split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// Whether a process is there and no zombie.
fn is_alive(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, fields)| !fields.starts_with('Z'))
}
