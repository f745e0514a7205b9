//! Installs missing servers from the packages of Debian and Ubuntu.
//!
//! The shell script `install_debian.sh` does the installation. It restores what it changes even
//! if this tool dies meanwhile.

use crate::interrupt;
use crate::logs::last_lines;
use crate::server_binaries::{
    PostgresBinaries, RabbitmqBinaries, Version, find_postgres, find_rabbitmq,
};
use crate::terminal::{self, Step};
use anyhow::{Context, Result, bail};
use fs_err::{self as fs, File};
use nix::unistd::geteuid;
use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

/// A server that can be installed.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    /// What to install without this tool.
    requirement: &'static str,
    homebrew_formula: &'static str,
    /// Debian's packages, the preferred one first.
    packages: &'static [&'static str],
    is_usable: fn(Version) -> bool,
    /// What to do if no package is usable.
    advice: &'static str,
}

pub static POSTGRES: Server = Server {
    name: "PostgreSQL",
    requirement: "PostgreSQL 15 to 17 (server and psql)",
    homebrew_formula: "postgresql@17",
    packages: &["postgresql-17", "postgresql-16", "postgresql-15"],
    is_usable: |_| true,
    advice: "add the repository of https://apt.postgresql.org",
};
static RABBITMQ: Server = Server {
    name: "RabbitMQ",
    requirement: "RabbitMQ 3.10 or newer up to 4.x with its management plugin",
    homebrew_formula: "rabbitmq",
    packages: &["rabbitmq-server"],
    is_usable: Version::is_usable_rabbitmq,
    advice: "add the repository of https://www.rabbitmq.com/docs/install-debian",
};
pub static NGINX: Server = of_any_version("nginx", "nginx", &["nginx"]);
static FAKETIME: Server = of_any_version("libfaketime", "libfaketime", &["faketime"]);
pub static PGBOUNCER: Server = of_any_version("PgBouncer", "pgbouncer", &["pgbouncer"]);

const fn of_any_version(
    name: &'static str,
    homebrew_formula: &'static str,
    packages: &'static [&'static str],
) -> Server {
    let advice = "install it yourself";
    Server { name, requirement: name, homebrew_formula, packages, is_usable: |_| true, advice }
}

/// Finds PostgreSQL and RabbitMQ, after installing what is missing.
pub fn ensure_servers(private_folder: &Path) -> Result<(PostgresBinaries, RabbitmqBinaries)> {
    // Both are installed at once.
    if find_postgres().is_none() && find_rabbitmq().is_none() {
        install(private_folder, &[&POSTGRES, &RABBITMQ])?;
    }
    let postgres = ensure(private_folder, &POSTGRES, find_postgres)?;
    Ok((postgres, ensure(private_folder, &RABBITMQ, find_rabbitmq)?))
}

/// Installs libfaketime if it is missing. Tests use it to give services a wrong clock; all other
/// tests work without it.
pub fn prepare_faketime(private_folder: &Path) {
    if let Err(error) = ensure(private_folder, &FAKETIME, find_faketime) {
        terminal::note(&format!("tests of wrong clocks will fail: {error:#}"));
    }
}

/// Finds the programs of a server, after installing it if they are missing.
pub fn ensure<T>(private_folder: &Path, server: &Server, find: fn() -> Option<T>) -> Result<T> {
    if let Some(programs) = find() {
        return Ok(programs);
    }
    install(private_folder, &[server])?;
    let name = server.name;
    find().with_context(|| format!("{name} was installed but its programs were not found"))
}

fn install(private_folder: &Path, missing: &[&Server]) -> Result<()> {
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("{}", advice_without_apt(missing));
    }
    let tools =
        PackageTools { log: private_folder.join("install.log"), sudo: !geteuid().is_root() };
    let try_sudo = || Command::new("sudo").args(["-n", "true"]).output();
    if tools.sudo && !try_sudo().is_ok_and(|output| output.status.success()) {
        bail!(
            "{}, and the installation requires root: `sudo` requires a password here. \
             Run `sudo -v` and then this command again, or install {} yourself",
            lack(missing),
            names(missing),
        );
    }
    tools.step("apt-get update", &["apt-get", "update"].map(OsStr::new))?;
    let policy = candidates()?;
    let packages =
        missing.iter().map(|server| choose(server, &policy)).collect::<Result<Vec<_>>>()?;
    let script = private_folder.join("install_debian.sh");
    fs::write(&script, include_str!("install_debian.sh"))?;
    let mut command = vec![OsStr::new("sh"), script.as_os_str()];
    command.extend(packages.iter().map(OsStr::new));
    tools.step(&format!("apt-get install {}", packages.join(" ")), &command)
}

/// The system's package tools, as root or with sudo, with a log.
#[derive(Debug)]
struct PackageTools {
    log: PathBuf,
    sudo: bool,
}

impl PackageTools {
    /// Runs a command to its end, even if a stop is requested meanwhile, so that no package is
    /// left half-installed.
    fn step(&self, name: &str, command: &[&OsStr]) -> Result<()> {
        let step = Step::begin(&if self.sudo { format!("sudo {name}") } else { name.to_owned() });
        let status = self.run(&step, command).with_context(|| format!("cannot run `{name}`"))?;
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

    fn run(&self, step: &Step, command: &[&OsStr]) -> Result<ExitStatus> {
        let log = File::create(&self.log)?.into_file();
        let sudo = if self.sudo { &["sudo", "-n"][..] } else { &[] };
        // `env` runs the command with and without `sudo`.
        let mut child = Command::new("env")
            .args(sudo)
            .args(command)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()?;
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

/// libfaketime in Debian's folder of any architecture.
fn find_faketime() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut libraries = folders.map(|entry| entry.path().join("faketime/libfaketime.so.1"));
    libraries.find(|library| library.exists())
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

/// The output of `apt-cache policy` for all packages that may be installed.
fn candidates() -> Result<String> {
    let servers = [&POSTGRES, &RABBITMQ, &NGINX, &FAKETIME, &PGBOUNCER];
    let mut command = Command::new("apt-cache");
    command.env("LC_ALL", "C").arg("policy");
    command.args(servers.iter().flat_map(|server| server.packages));
    let output = command.output().context("cannot run apt-cache")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The package to install, by the output of `apt-cache policy`. Fails if the system has no
/// suitable one.
fn choose(server: &Server, policy: &str) -> Result<&'static str> {
    let Server { name, requirement, packages, advice, .. } = server;
    let offered: Vec<(&str, Version)> = packages
        .iter()
        .filter_map(|package| Some((*package, candidate(policy, package)?)))
        .collect();
    let usable = offered.iter().find(|(_, version)| (server.is_usable)(*version));
    usable.map(|(package, _)| *package).with_context(|| {
        let found = offered
            .first()
            .map_or_else(|| format!("no {name}"), |(_, version)| format!("{name} {version}"));
        format!(
            "this system's packages have {found}, but {requirement} is required: {advice} and \
             run this again"
        )
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
    use crate::server_binaries::POSTGRES_MAJOR;

    const BOTH: [&Server; 2] = [&POSTGRES, &RABBITMQ];
    const BOOKWORM: &str = "rabbitmq-server:\n  Installed: (none)\n  Candidate: 3.10.8-1.1+deb12u1\n  Version table:\n\
                            postgresql-15:\n  Installed: (none)\n  Candidate: 15.13-0+deb12u1\n  Version table:\n\
                            nginx:\n  Installed: (none)\n  Candidate: 1.22.1-9+deb12u7\n  Version table:\n\
                            pgbouncer:\n  Installed: (none)\n  Candidate: 1.18.0-1+deb12u1\n  Version table:\n";

    #[test]
    fn the_newest_usable_packages_are_chosen() -> Result<()> {
        let with_16 =
            format!("{BOOKWORM}postgresql-16:\n  Installed: (none)\n  Candidate: 16.4-1\n");
        for (server, policy, package) in [
            (&POSTGRES, BOOKWORM, "postgresql-15"),
            (&POSTGRES, &with_16, "postgresql-16"),
            (&RABBITMQ, &with_16, "rabbitmq-server"),
            (&RABBITMQ, BOOKWORM, "rabbitmq-server"),
            (&NGINX, BOOKWORM, "nginx"),
            (&PGBOUNCER, BOOKWORM, "pgbouncer"),
        ] {
            assert_eq!(choose(server, policy)?, package);
        }
        Ok(())
    }

    #[test]
    fn too_old_systems_get_advice() {
        for (server, candidate, offered, advice) in [
            (&RABBITMQ, "3.10.8-1.1+deb12u1", "3.9.13-1", "have RabbitMQ 3.9"),
            (&POSTGRES, "15.13-0+deb12u1", "(none)", "apt.postgresql.org"),
        ] {
            let refusal = choose(server, &BOOKWORM.replace(candidate, offered)).err();
            let refusal = refusal.map(|error| error.to_string()).unwrap_or_default();
            assert!(refusal.contains(advice), "{refusal}");
        }
    }

    #[test]
    fn advice_names_what_is_missing() {
        let advice = advice_without_apt(&[&NGINX]);
        assert!(advice.starts_with("nginx is missing"), "{advice}");
        assert!(advice.contains("`brew install nginx`"), "{advice}");
        let advice = advice_without_apt(&BOTH);
        assert!(advice.starts_with("PostgreSQL and RabbitMQ are missing"), "{advice}");
        assert!(advice.contains("Install PostgreSQL 15 to 17 (server and psql) and RabbitMQ 3.10"));
        assert_eq!(POSTGRES_MAJOR, 15..=17);
    }
}
