//! Finds the servers' programs on this machine.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fmt, fs};

/// The PostgreSQL versions that the services are tested with.
pub const POSTGRES_MAJOR: RangeInclusive<u32> = 15..=17;
/// The first RabbitMQ version whose virtual hosts have a default queue type.
const RABBITMQ_SINCE: Version = Version(3, 10);
/// The last major version of RabbitMQ that the services are tested with.
const RABBITMQ_MAJOR_UNTIL: u32 = 4;

/// The first two numbers of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.0, self.1)
    }
}

impl Version {
    /// Reads the version at the beginning of a text: `15.13`,
    /// `3.10.8-1.1+deb12u1`, `4.0.5-rc.1`. A Debian epoch (`1:`) is skipped.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.split_once(':').map_or(text, |(_, version)| version);
        let mut numbers = text
            .split(|character: char| !character.is_ascii_digit())
            .map(|number| number.parse().ok());
        Some(Self(numbers.next()??, numbers.next().flatten().unwrap_or(0)))
    }

    pub fn is_usable_rabbitmq(self) -> bool {
        self >= RABBITMQ_SINCE && self.0 <= RABBITMQ_MAJOR_UNTIL
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresBinaries {
    /// The folder with `postgres`, `initdb` and `psql`.
    pub folder: PathBuf,
    pub version: Version,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RabbitmqBinaries {
    /// The start script itself, not a wrapper that changes the user.
    pub server: PathBuf,
    /// Erlang's port mapper, epmd.
    pub port_mapper: PathBuf,
    pub version: Version,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NginxBinary {
    pub program: PathBuf,
    pub version: Version,
}

/// The newest supported PostgreSQL.
pub fn find_postgres() -> Option<PostgresBinaries> {
    let mut folders = path_folders();
    for major in POSTGRES_MAJOR {
        folders.extend([
            format!("/usr/lib/postgresql/{major}/bin").into(), // Debian, Ubuntu
            format!("/usr/pgsql-{major}/bin").into(),          // PGDG's RPMs
            format!("/opt/homebrew/opt/postgresql@{major}/bin").into(),
            format!("/usr/local/opt/postgresql@{major}/bin").into(),
        ]);
    }
    let usable = |folder: PathBuf| {
        let is_there = |name: &&str| folder.join(name).is_file();
        ["postgres", "initdb", "psql"].iter().all(is_there).then_some(())?;
        // `postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)`
        let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
        let version = Version::parse(String::from_utf8_lossy(&output.stdout).split(' ').nth(2)?)?;
        POSTGRES_MAJOR.contains(&version.0).then_some(PostgresBinaries { folder, version })
    };
    folders.into_iter().filter_map(usable).max_by_key(|found| found.version)
}

/// A supported RabbitMQ with its management plugin, and Erlang.
pub fn find_rabbitmq() -> Option<RabbitmqBinaries> {
    let port_mapper = find_port_mapper()?;
    rabbitmq_folders().into_iter().find_map(|folder| {
        let server = folder.join("rabbitmq-server").canonicalize().ok()?;
        let version = rabbitmq_version(&folder).or_else(|| rabbitmq_version(server.parent()?))?;
        let port_mapper = port_mapper.clone();
        version.is_usable_rabbitmq().then_some(RabbitmqBinaries { server, port_mapper, version })
    })
}

/// In packages of Debian and in RPMs, `/usr/sbin` has a wrapper that changes the user, and
/// `/usr/lib/rabbitmq/bin` the script itself.
fn rabbitmq_folders() -> Vec<PathBuf> {
    let mut folders = path_folders();
    folders.retain(|folder| folder != Path::new("/usr/sbin"));
    folders.insert(0, "/usr/lib/rabbitmq/bin".into());
    folders
        .extend(["/opt/homebrew/opt/rabbitmq/sbin".into(), "/usr/local/opt/rabbitmq/sbin".into()]);
    folders
}

/// From the file names in the folder `plugins`, such as `rabbit-3.10.8` or `rabbit-4.0.5.ez`.
/// It is beside the scripts' folder or, on Debian, in `lib/rabbitmq_server-<version>`.
fn rabbitmq_version(scripts: &Path) -> Option<Version> {
    let home = scripts.parent()?;
    let mut homes = vec![home.to_owned()];
    homes.extend(entries(&home.join("lib")));
    homes.iter().find_map(|home| {
        let plugins = entries(&home.join("plugins"));
        let named = |prefix: &str| {
            plugins.iter().find_map(|plugin| {
                Version::parse(plugin.file_name()?.to_str()?.strip_prefix(prefix)?)
            })
        };
        named("rabbitmq_management-").and(named("rabbit-"))
    })
}

fn find_port_mapper() -> Option<PathBuf> {
    let mut folders = path_folders();
    if let Some(erl) = folders.iter().map(|folder| folder.join("erl")).find(|erl| erl.is_file()) {
        let home = erl.canonicalize().ok()?;
        let home = home.parent()?.parent()?.to_owned();
        folders.extend(entries(&home).into_iter().map(|entry| entry.join("bin")));
        folders.push(home.join("bin"));
    }
    folders.into_iter().map(|folder| folder.join("epmd")).find(|epmd| epmd.is_file())
}

/// nginx of any version.
pub fn find_nginx() -> Option<NginxBinary> {
    let homebrew = ["/opt/homebrew/opt/nginx/bin", "/usr/local/opt/nginx/bin"].map(PathBuf::from);
    path_and_sbin().chain(homebrew).map(|folder| folder.join("nginx")).find_map(|program| {
        let output = Command::new(&program).arg("-v").output().ok()?;
        let version = nginx_version(&String::from_utf8_lossy(&output.stderr))?;
        Some(NginxBinary { program, version })
    })
}

/// PgBouncer of any version.
pub fn find_pgbouncer() -> Option<PathBuf> {
    path_and_sbin().map(|folder| folder.join("pgbouncer")).find(|program| program.is_file())
}

/// Debian's folder of servers is not in an ordinary user's `PATH`.
fn path_and_sbin() -> impl Iterator<Item = PathBuf> {
    path_folders().into_iter().chain([PathBuf::from("/usr/sbin")])
}

/// From `nginx version: nginx/1.22.1`.
fn nginx_version(text: &str) -> Option<Version> {
    let (_, version) = text.split_once('/')?;
    Version::parse(version)
}

fn path_folders() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_programs_and_packages_write_them() {
        for (text, version) in [
            ("15.13", Some(Version(15, 13))),
            ("3.10.8-1.1+deb12u1", Some(Version(3, 10))),
            ("1:4.0.5-3", Some(Version(4, 0))),
            ("18beta1", Some(Version(18, 0))),
            ("17", Some(Version(17, 0))),
            ("(none)", None),
        ] {
            assert_eq!(Version::parse(text), version, "{text}");
        }
    }

    #[test]
    fn the_version_of_nginx_is_read() {
        assert_eq!(nginx_version("nginx version: nginx/1.22.1\n"), Some(Version(1, 22)));
        assert_eq!(nginx_version("nginx version: nginx/1.24.0 (Ubuntu)\n"), Some(Version(1, 24)));
        assert_eq!(nginx_version("not found"), None);
    }

    #[test]
    fn brokers_without_a_default_queue_type_are_not_usable() {
        assert!(!Version(3, 9).is_usable_rabbitmq());
        assert!(Version(3, 10).is_usable_rabbitmq());
        assert!(Version(4, 2).is_usable_rabbitmq());
        assert!(!Version(5, 0).is_usable_rabbitmq());
    }
}
