//! A private PostgreSQL cluster.

use crate::data_folder;
use crate::leftovers::Record;
use crate::process::{Output, ProcessSpec, without_foreign_settings};
use crate::server_binaries::PostgresBinaries;
use crate::supervisor::Supervised;
use crate::system_user::SystemUser;
use crate::terminal::Step;
use anyhow::{Context, Result, bail};
use fs_err as fs;
use nix::sys::signal::Signal;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The role for people. It is a superuser, so that tests can create databases.
pub const ROLE: &str = "user";
/// The password of all roles, as in Docker Compose. The cluster listens on loopback only.
pub const PASSWORD: &str = "password";

/// Includes the recovery after a crash.
const START_DEADLINE: Duration = Duration::from_secs(120);

/// Settings that differ from PostgreSQL's defaults. Durability is the default: commits survive a
/// power failure, also in tests.
const SETTINGS: [(&str, &str); 9] = [
    ("listen_addresses", "127.0.0.1"),
    // Clients use TCP: the path of a socket could exceed the system's limit.
    ("unix_socket_directories", ""),
    // Small enough for small machines; the working set is small, too.
    ("shared_buffers", "256MB"),
    // Fewer checkpoints and full-page writes under steady load.
    ("max_wal_size", "2GB"),
    ("checkpoint_timeout", "15min"),
    // The data is on an SSD or in the page cache.
    ("random_page_cost", "1.1"),
    ("log_line_prefix", "%m [%p] %q%u@%d "),
    ("log_checkpoints", "off"),
    ("timezone", "UTC"),
];

/// UTF-8 with character classes, so that names of all alphabets compare case-insensitively, and
/// with an order that does not change with updates of the system.
const LOCALE: &str =
    if cfg!(target_os = "linux") { "--locale=C.UTF-8" } else { "--locale=en_US.UTF-8" };

#[derive(Debug, Clone)]
pub struct Cluster {
    /// `db` or `read_db`, as in Docker Compose.
    pub name: &'static str,
    /// The database that the services use.
    pub database: &'static str,
    /// The services' roles there.
    pub roles: &'static [&'static str],
    /// Its port on 127.0.0.1.
    pub port: u16,
    pub max_connections: u16,
    /// The instance's folder. The cluster has its own folder in it.
    pub folder: PathBuf,
    pub binaries: PostgresBinaries,
    pub user: SystemUser,
    /// Whether the data is not used again. Then it is stopped without an orderly shutdown.
    pub throw_away: bool,
}

impl Cluster {
    /// The address for people, with all rights.
    pub fn url(&self) -> String {
        self.url_of(self.database)
    }

    pub fn url_as(&self, role: &str) -> String {
        self.address(role, self.database)
    }

    /// The address of one of its databases for people.
    pub fn url_of(&self, database: &str) -> String {
        self.address(ROLE, database)
    }

    fn address(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.join(self.name).join(format!("postgres-{}", self.binaries.version.0))
    }

    /// Creates the cluster unless it exists, starts the server, waits until it responds, and
    /// creates the database unless it exists.
    pub fn start(&self, record: &Record) -> Result<Supervised> {
        let step = Step::begin(&format!("database `{}`", self.name));
        step.detail("creating the cluster");
        self.create()?;
        self.remove_stale_lock();
        step.detail("starting");
        let mut process = Supervised::start(self.process(), record)?;
        self.wait_until_ready(&mut process)?;
        step.done(&format!("PostgreSQL {} on port {}", self.binaries.version, self.port));
        Ok(process)
    }

    /// Creates the cluster unless it exists. It is created in another folder and moved when it is
    /// complete, so that no incomplete cluster is ever started.
    fn create(&self) -> Result<()> {
        let data = self.data();
        let home = self.folder.join(self.name);
        data_folder::create_for(&home, self.user)?;
        if data.exists() {
            return Ok(());
        }
        let unfinished = home.join("unfinished");
        let password = home.join("password");
        data_folder::remove_if_exists(&unfinished)?;
        fs::write(&password, PASSWORD)?;
        self.user.own(&password)?;
        let mut initdb = Command::new(self.binaries.folder.join("initdb"));
        without_foreign_settings(&mut initdb);
        self.user.apply(&mut initdb);
        initdb.current_dir(&home).arg("--pgdata").arg(&unfinished).arg("--pwfile").arg(&password);
        initdb.args([
            &format!("--username={ROLE}"),
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            LOCALE,
        ]);
        let made =
            run(&mut initdb).with_context(|| format!("cannot create the cluster `{}`", self.name));
        fs::remove_file(&password)?;
        made?;
        Ok(fs::rename(&unfinished, &data)?)
    }

    fn process(&self) -> ProcessSpec {
        let mut arguments: Vec<OsString> = vec!["-D".into(), self.data().into()];
        let own = [
            ("port", self.port.to_string()),
            ("max_connections", self.max_connections.to_string()),
            ("cluster_name", self.name.to_owned()),
        ];
        let common = SETTINGS.map(|(name, value)| (name, value.to_owned()));
        for (name, value) in common.into_iter().chain(own) {
            arguments.extend(["-c".into(), format!("{name}={value}").into()]);
        }
        ProcessSpec {
            name: self.name.to_owned(),
            program: self.binaries.folder.join("postgres"),
            arguments,
            environment: Vec::new(),
            directory: self.folder.join(self.name),
            user: self.user,
            output: Output::File(self.folder.join(format!("{}.log", self.name))),
            // SIGQUIT: immediate shutdown. SIGINT: fast shutdown, which loses nothing.
            stop_signal: if self.throw_away { Signal::SIGQUIT } else { Signal::SIGINT },
            grace: Duration::from_secs(30),
        }
    }

    /// Removes the lock file of a dead server if another program has its process id by now: the
    /// server would take that program for a running server and not start. Leftover servers were
    /// stopped before.
    fn remove_stale_lock(&self) {
        let lock = self.data().join("postmaster.pid");
        let process = fs::read_to_string(&lock)
            .ok()
            .and_then(|text| text.lines().next()?.trim().parse::<u32>().ok());
        if let Some(process) = process
            && !runs_in(process, &self.data())
        {
            let _ = fs::remove_file(&lock);
        }
    }

    /// Waits until the server responds, then creates the database unless it exists.
    fn wait_until_ready(&self, server: &mut Supervised) -> Result<()> {
        let databases = server.wait_until_ready(START_DEADLINE, || {
            self.query("postgres", "SELECT datname FROM pg_database")
        })?;
        if !databases.lines().any(|name| name == self.database) {
            self.query("postgres", &format!("CREATE DATABASE {}", self.database))?;
        }
        Ok(())
    }

    /// Grants the services' roles their rights, by the database's file in this folder, and sets
    /// their passwords. They get no rights on other databases.
    pub fn grant(&self, folder: &Path) -> Result<()> {
        self.run_file(self.database, &folder.join(format!("{}.sql", self.database)))?;
        for role in self.roles {
            self.query("postgres", &format!("ALTER ROLE {role} PASSWORD '{PASSWORD}'"))?;
        }
        self.query("postgres", "REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC").map(drop)
    }

    /// Runs a statement and returns its rows as unaligned text.
    pub fn query(&self, database: &str, statement: &str) -> Result<String> {
        query_by_url(&self.binaries, &self.url_of(database), statement)
    }

    /// Runs the statements of a file as one transaction.
    pub fn run_file(&self, database: &str, path: &Path) -> Result<()> {
        let mut psql = psql(&self.binaries, &self.url_of(database));
        run(psql.args(["--single-transaction", "--file"]).arg(path))
            .with_context(|| format!("cannot apply {}", path.display()))
            .map(drop)
    }
}

/// Runs a statement on a running server and returns its rows as unaligned text.
pub fn query_by_url(binaries: &PostgresBinaries, url: &str, statement: &str) -> Result<String> {
    run(psql(binaries, url).args(["--command", statement]))
}

fn psql(binaries: &PostgresBinaries, url: &str) -> Command {
    let mut command = Command::new(binaries.folder.join("psql"));
    without_foreign_settings(&mut command);
    command
        .env("PGCONNECT_TIMEOUT", "5")
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"])
        .args(["--dbname", url]);
    command
}

/// Whether the process is a server on this data; true if that is unknown.
fn runs_in(process: u32, data: &Path) -> bool {
    if !Path::new("/proc/self/cmdline").exists() {
        return true;
    }
    fs::read(format!("/proc/{process}/cmdline")).is_ok_and(|words| {
        words.split(|byte| *byte == 0).any(|word| word == data.as_os_str().as_encoded_bytes())
    })
}

/// Runs a command to its end and returns its output, or its error output as the error.
fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().context("cannot run the program")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
