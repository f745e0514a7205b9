//! Installs missing servers from the packages of Debian and Ubuntu.
//!
//! The shell script `install_debian.sh` does the installation. It restores what it changes even
//! if this tool dies meanwhile.

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
    logs::last_lines,
    server_binaries::{
        NginxBinary, POSTGRES_MAJOR, PostgresBinaries, RabbitmqBinaries, Version, find_nginx,
        find_pgbouncer, find_postgres, find_rabbitmq,
    },
    system_user::running_as_root,
    terminal::{self, Step},
};

const SCRIPT: &str = include_str!("install_debian.sh");

/// The programs of the servers that every stack uses.
#[derive(Debug, Clone)]
pub struct Servers {
    pub postgres: PostgresBinaries,
    pub rabbitmq: RabbitmqBinaries,
}

/// A server that can be installed.
#[derive(Debug)]
struct Server {
    name: &'static str,
    /// What to install without this tool.
    requirement: &'static str,
    homebrew_formula: &'static str,
    is_missing: fn() -> bool,
    /// Chooses the package by the output of `apt-cache policy`.
    choose: fn(&str) -> Result<String>,
}

static POSTGRES: Server = Server {
    name: "PostgreSQL",
    requirement: "PostgreSQL 15 to 17 (server and psql)",
    homebrew_formula: "postgresql@17",
    is_missing: || find_postgres().is_none(),
    choose: choose_postgres,
};
static RABBITMQ: Server = Server {
    name: "RabbitMQ",
    requirement: "RabbitMQ 3.10 or newer up to 4.x with its management plugin",
    homebrew_formula: "rabbitmq",
    is_missing: || find_rabbitmq().is_none(),
    choose: choose_rabbitmq,
};
static NGINX: Server = Server {
    name: "nginx",
    requirement: "nginx",
    homebrew_formula: "nginx",
    is_missing: || find_nginx().is_none(),
    choose: |policy| choose_any_version(policy, "nginx"),
};
static FAKETIME: Server = Server {
    name: "libfaketime",
    requirement: "libfaketime",
    homebrew_formula: "libfaketime",
    is_missing: || !has_faketime(),
    choose: |policy| choose_any_version(policy, "faketime"),
};
static PGBOUNCER: Server = Server {
    name: "PgBouncer",
    requirement: "PgBouncer",
    homebrew_formula: "pgbouncer",
    is_missing: || find_pgbouncer().is_none(),
    choose: |policy| choose_any_version(policy, "pgbouncer"),
};

/// Finds PostgreSQL and RabbitMQ, after installing what is missing.
pub fn ensure_servers(private_folder: &Path) -> Result<Servers> {
    install_missing(private_folder, &[&POSTGRES, &RABBITMQ])?;
    Ok(Servers {
        postgres: found(&POSTGRES, find_postgres())?,
        rabbitmq: found(&RABBITMQ, find_rabbitmq())?,
    })
}

/// Finds PostgreSQL, after installing it if it is missing.
pub fn ensure_postgres(private_folder: &Path) -> Result<PostgresBinaries> {
    install_missing(private_folder, &[&POSTGRES])?;
    found(&POSTGRES, find_postgres())
}

/// Finds nginx, after installing it if it is missing.
pub fn ensure_nginx(private_folder: &Path) -> Result<NginxBinary> {
    install_missing(private_folder, &[&NGINX])?;
    found(&NGINX, find_nginx())
}

/// Finds PgBouncer, after installing it if it is missing.
pub fn ensure_pgbouncer(private_folder: &Path) -> Result<PathBuf> {
    install_missing(private_folder, &[&PGBOUNCER])?;
    found(&PGBOUNCER, find_pgbouncer())
}

/// Installs libfaketime if it is missing. Tests use it to give services a wrong clock; all other
/// tests work without it.
pub fn prepare_faketime(private_folder: &Path) {
    if let Err(error) = install_missing(private_folder, &[&FAKETIME]) {
        terminal::note(&format!("tests of wrong clocks will fail: {error:#}"));
    }
}

fn found<T>(server: &Server, programs: Option<T>) -> Result<T> {
    let name = server.name;
    programs.with_context(|| format!("{name} was installed but its programs were not found"))
}

fn install_missing(private_folder: &Path, wanted: &[&'static Server]) -> Result<()> {
    let missing: Vec<&Server> =
        wanted.iter().copied().filter(|server| (server.is_missing)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("{}", advice_without_apt(&missing));
    }
    Installation::new(private_folder)?.install(&missing)
}

/// A run of the package tools, as root or with sudo, with a log.
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

    fn install(&self, missing: &[&Server]) -> Result<()> {
        if self.sudo && !sudo_works() {
            bail!(
                "{}, and the installation requires root: `sudo` requires a password here. \
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

    /// Runs a command to its end, even if a stop is requested meanwhile, so that no package is
    /// left half-installed.
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
            let last = last_lines(&self.log, 1).pop().unwrap_or_default();
            let detail =
                if interrupt::requested() { "stopping after the installation" } else { &last };
            step.detail(detail.trim_end_matches(" ..."));
            thread::sleep(Duration::from_millis(200));
        }
    }
}

/// Whether libfaketime is in Debian's folder of any architecture.
fn has_faketime() -> bool {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    folders.into_iter().any(|entry| entry.path().join("faketime/libfaketime.so.1").exists())
}

/// `PostgreSQL`, `PostgreSQL and RabbitMQ`.
fn names(servers: &[&Server]) -> String {
    servers.iter().map(|server| server.name).collect::<Vec<_>>().join(" and ")
}

/// `PostgreSQL is missing`, `PostgreSQL and RabbitMQ are missing`.
fn lack(missing: &[&Server]) -> String {
    format!("{} {} missing", names(missing), if missing.len() == 1 { "is" } else { "are" })
}

fn advice_without_apt(missing: &[&Server]) -> String {
    let requirements: Vec<&str> = missing.iter().map(|server| server.requirement).collect();
    let formulas: Vec<&str> = missing.iter().map(|server| server.homebrew_formula).collect();
    format!(
        "{}, and this tool does not support this system's packages. Install {} \
         (Homebrew: `brew install {}`) without starting it, with its programs in PATH",
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

/// The output of `apt-cache policy` for all packages that may be installed.
fn candidates() -> Result<String> {
    let mut command = Command::new("apt-cache");
    let packages = ["policy", "rabbitmq-server", "nginx", "pgbouncer", "faketime"];
    command.env("LC_ALL", "C").args(packages);
    command.args(POSTGRES_MAJOR.map(|major| format!("postgresql-{major}")));
    let output = command.output().context("cannot run apt-cache")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The packages to install. Fails if the system has no suitable ones.
fn choose(missing: &[&Server], policy: &str) -> Result<Vec<String>> {
    missing.iter().map(|server| (server.choose)(policy)).collect()
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
            "this system's packages have {}, but 3.10 to 4.x is required: add the repository of \
             https://www.rabbitmq.com/docs/install-debian and run this again",
            offered.map_or("no RabbitMQ".to_owned(), |version| format!("RabbitMQ {version}"))
        ),
    }
}

fn choose_any_version(policy: &str, package: &str) -> Result<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [&Server; 2] = [&POSTGRES, &RABBITMQ];
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
        assert_eq!(choose(&[&RABBITMQ], BOOKWORM)?, ["rabbitmq-server"]);
        assert_eq!(choose(&[&NGINX], BOOKWORM)?, ["nginx"]);
        assert_eq!(choose(&[&PGBOUNCER], BOOKWORM)?, ["pgbouncer"]);
        Ok(())
    }

    #[test]
    fn too_old_systems_get_advice() {
        let jammy = BOOKWORM.replace("3.10.8-1.1+deb12u1", "3.9.13-1");
        let refusal =
            choose(&BOTH, &jammy).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refusal.contains("have RabbitMQ 3.9"), "{refusal}");
        let refusal = choose(&BOTH, &BOOKWORM.replace("15.13-0+deb12u1", "(none)"));
        assert!(refusal.is_err_and(|error| error.to_string().contains("apt.postgresql.org")));
    }

    #[test]
    fn advice_names_what_is_missing() {
        let advice = advice_without_apt(&[&NGINX]);
        assert!(advice.starts_with("nginx is missing"), "{advice}");
        assert!(advice.contains("`brew install nginx`"), "{advice}");
        let advice = advice_without_apt(&BOTH);
        assert!(advice.starts_with("PostgreSQL and RabbitMQ are missing"), "{advice}");
        assert!(advice.contains("Install PostgreSQL 15 to 17 (server and psql) and RabbitMQ 3.10"));
        assert_eq!((*POSTGRES_MAJOR.start(), *POSTGRES_MAJOR.end()), (15, 17));
    }
}
