//! Servers that a test may kill.

use super::process::program;
use super::servers::Servers;
use super::wait::within;
use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

/// Deadline for servers to start, also if they must be installed first.
const START_DEADLINE: Duration = Duration::from_secs(180);

/// Two databases and a broker, started by `cargo stack infra --throw-away`, which restarts
/// them when they end.
#[derive(Debug)]
pub struct DedicatedServers {
    /// Their addresses.
    pub servers: Servers,
    /// The file in which `cargo stack` records their processes.
    record: PathBuf,
    stack: Stack,
    /// Whether tests can mount file systems for them. This requires root.
    pub can_mount: bool,
}

/// Program that runs another one in a mount namespace of its own.
const UNSHARE: &str = "unshare";
const OWN_MOUNTS: [&str; 3] = ["--mount", "--propagation", "private"];

fn can_mount() -> bool {
    let mut trial = Command::new(UNSHARE);
    trial.args(OWN_MOUNTS).args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
    trial.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The process of `cargo stack infra`. When dropped, it stops the servers.
#[derive(Debug)]
struct Stack(Mutex<Child>);

impl DedicatedServers {
    /// Starts servers. The name must not be in use. The output of `cargo stack` goes to
    /// files in the folder.
    pub async fn start(name: &str, logs: &Path) -> Self {
        let (output, log) = (logs.join("servers.env"), logs.join("servers.log"));
        let can_mount = can_mount();
        let mut command = Command::new(if can_mount { UNSHARE.into() } else { program("stack") });
        if can_mount {
            command.args(OWN_MOUNTS).arg(program("stack"));
        }
        let stack = command
            .args(["infra", "--throw-away", name])
            .stdin(Stdio::null())
            .stdout(File::create(&output).unwrap())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start the stack: {error}"));
        let stack = Stack(Mutex::new(stack));
        let exports = within(START_DEADLINE, async || {
            let ended = stack.0.lock().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "{}", fs::read_to_string(&log).unwrap_or_default());
            let exports = exported(&fs::read_to_string(&output).unwrap_or_default());
            if exports.contains_key("STACK_PROCESSES") { Ok(exports) } else { Err("starting") }
        })
        .await;
        let servers = Servers::named(|name| exports.get(name).cloned());
        let record = PathBuf::from(&exports["STACK_PROCESSES"]);
        Self { servers, record, stack, can_mount }
    }

    /// Sends a signal to servers and waits until they have ended. SIGKILL also goes to
    /// their child processes.
    pub async fn terminate(&self, names: &[&str], signal: &str) {
        let leaders: Vec<u32> = names.iter().map(|name| self.process(name)).collect();
        let mut all = leaders.clone();
        if signal == "KILL" {
            all.extend(leaders.iter().flat_map(|leader| children(*leader)));
        }
        let ids = all.iter().map(ToString::to_string);
        // A child process may have ended already.
        let mut kill = Command::new("kill");
        let _ = kill.args(["-s", signal]).args(ids).stderr(Stdio::null()).status().unwrap();
        within(START_DEADLINE, async || {
            let left = leaders.iter().filter(|id| is_alive(**id)).count();
            if left == 0 { Ok(()) } else { Err(format!("{left} of {names:?} still run")) }
        })
        .await;
    }

    /// Waits until a server has restarted and accepts connections.
    pub async fn wait_until_back(&self, name: &str) {
        within(START_DEADLINE, async || {
            if !is_alive(self.process(name)) {
                return Err(format!("{name} has not restarted"));
            }
            match name {
                "db" => self.servers.check_write_database().await,
                "read_db" => self.servers.check_read_database().await,
                _ => self.servers.check_broker().await,
            }
        })
        .await;
    }

    /// Runs `rabbitmqctl` for the broker.
    pub async fn rabbitmqctl(&self, arguments: &[&str]) {
        let broker = fs::read(format!("/proc/{}/environ", self.process("broker"))).unwrap();
        let environment: HashMap<String, String> = broker
            .split(|byte| *byte == 0)
            .filter_map(|entry| {
                let (name, value) = std::str::from_utf8(entry).ok()?.split_once('=')?;
                Some((name.to_owned(), value.to_owned()))
            })
            .collect();
        // `sbin` is beside the folder of plugins.
        let (plugins, _) =
            environment["ERL_LIBS"].split_once(':').unwrap_or((&environment["ERL_LIBS"], ""));
        let program = Path::new(plugins).with_file_name("sbin").join("rabbitmqctl");
        let output = tokio::process::Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(&environment)
            // The node itself uses this port.
            .env_remove("RABBITMQ_DIST_PORT")
            .output()
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "rabbitmqctl {arguments:?}: {text}");
    }

    /// Runs a shell script in the mount namespace of the servers. `$1` is the argument.
    pub async fn run_in_mount_namespace(&self, script: &str, argument: &str) {
        let stack = self.stack.0.lock().unwrap().id().to_string();
        let output = tokio::process::Command::new("nsenter")
            .args(["--target", &stack, "--mount", "sh", "-eu", "-c", script, "sh", argument])
            .output()
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {text}");
    }

    /// The path by which this process reaches a path of the servers' mount namespace.
    pub fn path_in_mount_namespace(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.stack.0.lock().unwrap().id()));
        root.join(path.strip_prefix("/").unwrap())
    }

    /// The id of the current process of a server.
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

/// The variables of lines such as `export NAME='value'`.
fn exported(text: &str) -> HashMap<String, String> {
    text.lines()
        .filter_map(|line| {
            let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((name.to_owned(), value.trim_matches('\'').to_owned()))
        })
        .collect()
}

/// The child processes of a process.
fn children(process: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    children.unwrap_or_default().split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// Whether a process exists and is not a zombie.
fn is_alive(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, fields)| !fields.starts_with('Z'))
}
