//! Installing what is missing from Debian's and Ubuntu's packages.
//!
//! The installation itself is a shell script of its own, `install_debian.sh`:
//! it restores what it changes even if this tool dies while it runs.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{
    interrupt,
    server_binaries::{
        NginxBinary, POSTGRES_MAJOR, PostgresBinaries, RabbitmqBinaries, Version, find_nginx,
        find_pgbouncer, find_postgres, find_rabbitmq,
    },
    system_user::running_as_root,
    terminal::{self, Step},
};

const SCRIPT: &str = include_str!("install_debian.sh");

/// The programs of both servers that every stack needs.
#[derive(Debug, Clone)]
pub struct Servers {
    /// PostgreSQL.
    pub postgres: PostgresBinaries,
    /// RabbitMQ.
    pub rabbitmq: RabbitmqBinaries,
}

/// A server that can be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Server {
    Postgres,
    Rabbitmq,
    Nginx,
    Faketime,
    Pgbouncer,
}

/// Finds both servers, after installing what is missing.
pub fn ensure_servers(private_folder: &Path) -> Result<Servers> {
    install_missing(private_folder, &[Server::Postgres, Server::Rabbitmq])?;
    Ok(Servers {
        postgres: found(Server::Postgres, find_postgres())?,
        rabbitmq: found(Server::Rabbitmq, find_rabbitmq())?,
    })
}

/// Finds PostgreSQL, after installing it if it is missing.
pub fn ensure_postgres(private_folder: &Path) -> Result<PostgresBinaries> {
    install_missing(private_folder, &[Server::Postgres])?;
    found(Server::Postgres, find_postgres())
}

/// Finds nginx, after installing it if it is missing.
pub fn ensure_nginx(private_folder: &Path) -> Result<NginxBinary> {
    install_missing(private_folder, &[Server::Nginx])?;
    found(Server::Nginx, find_nginx())
}

/// Installs libfaketime if it is missing. Tests use it to give services a wrong clock;
/// all other tests work without it.
pub fn prepare_faketime(private_folder: &Path) {
    if let Err(error) = install_missing(private_folder, &[Server::Faketime]) {
        terminal::note(&format!("tests of wrong clocks will fail: {error:#}"));
    }
}

/// Finds PgBouncer, after installing it if it is missing.
pub fn ensure_pgbouncer(private_folder: &Path) -> Result<PathBuf> {
    install_missing(private_folder, &[Server::Pgbouncer])?;
    found(Server::Pgbouncer, find_pgbouncer())
}

fn found<T>(server: Server, programs: Option<T>) -> Result<T> {
    programs
        .with_context(|| format!("{} was installed but its programs were not found", server.name()))
}

fn install_missing(private_folder: &Path, wanted: &[Server]) -> Result<()> {
    let missing: Vec<Server> =
        wanted.iter().copied().filter(|server| server.is_missing()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("{}", advice_without_apt(&missing));
    }
    Installation::new(private_folder)?.install(&missing)
}

/// A run of the package tools, as root or by sudo, with a log.
#[derive(Debug)]
struct Installation {
    log: PathBuf,
    script: PathBuf,
    sudo: bool,
}

impl Installation {
    fn new(private_folder: &Path) -> Result<Self> {
        let script = private_folder.join("install_debian.sh");
        fs::write(&script, SCRIPT).with_context(|| format!("cannot write {}", script.display()))?;
        Ok(Self { log: private_folder.join("install.log"), script, sudo: !running_as_root() })
    }

    fn install(&self, missing: &[Server]) -> Result<()> {
        if self.sudo && !sudo_works() {
            bail!(
                "{}, and installing needs root: `sudo` does not work without a password here. \
                 Run `sudo -v` and then this command again, or install {} yourself",
                lack(missing),
                names(missing),
            );
        }
        self.step("apt-get update", &["apt-get".as_ref(), "update".as_ref()])?;
        let packages = choose(missing, &candidates()?)?;
        let mut command: Vec<&Path> = vec!["sh".as_ref(), &self.script];
        command.extend(packages.iter().map(Path::new));
        self.step(&format!("apt-get install {}", packages.join(" ")), &command)
    }

    /// Runs one command to its end, even if a stop is asked for meanwhile: a
    /// half-installed package would be the user's to repair.
    fn step(&self, name: &str, words: &[&Path]) -> Result<()> {
        let step = Step::begin(&if self.sudo { format!("sudo {name}") } else { name.to_owned() });
        let status = self.run(&step, words)?;
        if !status.success() {
            drop(step);
            for line in last_lines(&self.log, 15) {
                terminal::note(&format!("    {line}"));
            }
            bail!("`{name}` failed; all of its output is in {}", self.log.display());
        }
        step.done("");
        interrupt::check()?;
        Ok(())
    }

    fn run(&self, step: &Step, words: &[&Path]) -> Result<ExitStatus> {
        let log = File::create(&self.log)
            .with_context(|| format!("cannot write {}", self.log.display()))?;
        let words = if self.sudo {
            [&["sudo".as_ref(), "-n".as_ref()], words].concat()
        } else {
            words.to_vec()
        };
        let [program, arguments @ ..] = words.as_slice() else { bail!("no command") };
        let mut child = Command::new(program)
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot run {}", program.display()))?;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            let doing = last_lines(&self.log, 1).pop().unwrap_or_default();
            let doing =
                if interrupt::requested() { "stopping when the packages are done" } else { &doing };
            step.detail(doing.trim_end_matches(" ..."));
            thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Server {
    fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Rabbitmq => "RabbitMQ",
            Self::Nginx => "nginx",
            Self::Faketime => "libfaketime",
            Self::Pgbouncer => "PgBouncer",
        }
    }

    fn is_missing(self) -> bool {
        match self {
            Self::Postgres => find_postgres().is_none(),
            Self::Rabbitmq => find_rabbitmq().is_none(),
            Self::Nginx => find_nginx().is_none(),
            Self::Faketime => !has_faketime(),
            Self::Pgbouncer => find_pgbouncer().is_none(),
        }
    }

    /// What is needed of it, for people who install it themselves.
    fn requirement(self) -> String {
        match self {
            Self::Postgres => format!(
                "PostgreSQL {} to {} (server and psql)",
                POSTGRES_MAJOR.start(),
                POSTGRES_MAJOR.end()
            ),
            Self::Rabbitmq => {
                "RabbitMQ 3.10 or newer up to 4.x with its management plugin".to_owned()
            }
            Self::Nginx | Self::Pgbouncer | Self::Faketime => self.name().to_owned(),
        }
    }

    fn homebrew_formula(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql@17",
            Self::Rabbitmq => "rabbitmq",
            Self::Nginx => "nginx",
            Self::Faketime => "libfaketime",
            Self::Pgbouncer => "pgbouncer",
        }
    }
}

/// Whether libfaketime is in Debian's folder, on any architecture.
fn has_faketime() -> bool {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    folders.into_iter().any(|entry| entry.path().join("faketime/libfaketime.so.1").exists())
}

/// `PostgreSQL`, `PostgreSQL and RabbitMQ`.
fn names(servers: &[Server]) -> String {
    servers.iter().map(|server| server.name()).collect::<Vec<_>>().join(" and ")
}

/// `PostgreSQL is missing`, `PostgreSQL and RabbitMQ are missing`.
fn lack(missing: &[Server]) -> String {
    format!("{} {} missing", names(missing), if missing.len() == 1 { "is" } else { "are" })
}

fn advice_without_apt(missing: &[Server]) -> String {
    let requirements: Vec<String> = missing.iter().map(|server| server.requirement()).collect();
    let formulas: Vec<&str> = missing.iter().map(|server| server.homebrew_formula()).collect();
    format!(
        "{}, and this system's packages are not known to the tool. Install {} \
         (Homebrew: `brew install {}`), without starting anything, and see that the programs are in PATH",
        lack(missing),
        requirements.join(" and "),
        formulas.join(" "),
    )
}

fn sudo_works() -> bool {
    Command::new("sudo")
        .args(["-n", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// What `apt-cache policy` says of every package that could be wanted.
fn candidates() -> Result<String> {
    let mut command = Command::new("apt-cache");
    let packages = ["policy", "rabbitmq-server", "nginx", "pgbouncer", "faketime"];
    command.env("LC_ALL", "C").args(packages);
    command.args(POSTGRES_MAJOR.map(|major| format!("postgresql-{major}")));
    let output = command.output().context("cannot run apt-cache")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The packages to install, or why the system's cannot be used.
fn choose(missing: &[Server], policy: &str) -> Result<Vec<String>> {
    missing
        .iter()
        .map(|server| match server {
            Server::Postgres => choose_postgres(policy),
            Server::Rabbitmq => choose_rabbitmq(policy),
            Server::Nginx => choose_plain(policy, "nginx"),
            Server::Pgbouncer => choose_plain(policy, "pgbouncer"),
            Server::Faketime => choose_plain(policy, "faketime"),
        })
        .collect()
}

fn choose_postgres(policy: &str) -> Result<String> {
    let mut packages = POSTGRES_MAJOR.rev().map(|major| format!("postgresql-{major}"));
    packages.find(|package| candidate(policy, package).is_some()).with_context(|| {
        format!(
            "this system's packages have no PostgreSQL {} to {}: add the repository of \
             https://apt.postgresql.org and run this again",
            POSTGRES_MAJOR.start(),
            POSTGRES_MAJOR.end()
        )
    })
}

fn choose_rabbitmq(policy: &str) -> Result<String> {
    match candidate(policy, "rabbitmq-server") {
        Some(version) if version.is_usable_rabbitmq() => Ok("rabbitmq-server".to_owned()),
        offered => bail!(
            "this system's packages have {}, but 3.10 to 4.x is needed: add the repository of \
             https://www.rabbitmq.com/docs/install-debian and run this again",
            offered.map_or("no RabbitMQ".to_owned(), |version| format!("RabbitMQ {version}"))
        ),
    }
}

/// A package in any version.
fn choose_plain(policy: &str, package: &str) -> Result<String> {
    candidate(policy, package).map(|_| package.to_owned()).with_context(|| {
        format!("this system's packages have no {package}: install it yourself and run this again")
    })
}

/// The version that would be installed, from the text of `apt-cache policy`.
fn candidate(policy: &str, package: &str) -> Option<Version> {
    let mut lines = policy.lines();
    lines.find(|line| *line == format!("{package}:"))?;
    let version = lines
        .take_while(|line| line.starts_with(' '))
        .find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    Version::parse(version)
}

/// The last lines of a file that are not empty.
pub fn last_lines(path: &Path, count: usize) -> Vec<String> {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.iter().skip(lines.len().saturating_sub(count)).map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Server; 2] = [Server::Postgres, Server::Rabbitmq];
    const BOOKWORM: &str = "rabbitmq-server:\n  Installed: (none)\n  Candidate: 3.10.8-1.1+deb12u1\n  Version table:\n\
                            postgresql-15:\n  Installed: (none)\n  Candidate: 15.13-0+deb12u1\n  Version table:\n\
                            nginx:\n  Installed: (none)\n  Candidate: 1.22.1-9+deb12u7\n  Version table:\n\
                            pgbouncer:\n  Installed: (none)\n  Candidate: 1.18.0-1+deb12u1\n  Version table:\n";

    #[test]
    fn the_newest_usable_packages_are_chosen() -> Result<()> {
        assert_eq!(choose(&BOTH, BOOKWORM)?, ["postgresql-15", "rabbitmq-server"]);
        let with_16 =
            format!("{BOOKWORM}postgresql-16:\n  Installed: (none)\n  Candidate: 16.4-1\n");
        assert_eq!(choose(&BOTH, &with_16)?, ["postgresql-16", "rabbitmq-server"]);
        assert_eq!(choose(&[Server::Rabbitmq], BOOKWORM)?, ["rabbitmq-server"]);
        assert_eq!(choose(&[Server::Nginx], BOOKWORM)?, ["nginx"]);
        assert_eq!(choose(&[Server::Pgbouncer], BOOKWORM)?, ["pgbouncer"]);
        Ok(())
    }

    #[test]
    fn systems_that_are_too_old_are_told_what_to_do() {
        let jammy = BOOKWORM.replace("3.10.8-1.1+deb12u1", "3.9.13-1");
        let refusal =
            choose(&BOTH, &jammy).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refusal.contains("have RabbitMQ 3.9"), "{refusal}");
        let refusal = choose(&BOTH, &BOOKWORM.replace("15.13-0+deb12u1", "(none)"));
        assert!(refusal.is_err_and(|error| error.to_string().contains("apt.postgresql.org")));
    }

    #[test]
    fn advice_names_what_is_missing() {
        let advice = advice_without_apt(&[Server::Nginx]);
        assert!(advice.starts_with("nginx is missing"), "{advice}");
        assert!(advice.contains("`brew install nginx`"), "{advice}");
        let advice = advice_without_apt(&BOTH);
        assert!(advice.starts_with("PostgreSQL and RabbitMQ are missing"), "{advice}");
        assert!(advice.contains("Install PostgreSQL 15 to 17 (server and psql) and RabbitMQ 3.10"));
    }
}
