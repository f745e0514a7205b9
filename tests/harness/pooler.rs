//! PgBouncer in front of a database server.

use super::database::SERVICE_ROLES;
use super::free_port::free_port;
use super::wait::eventually;
use std::env;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use uuid::Uuid;

// The settings that docs/production.md recommends.
const SETTINGS: &str = include_str!("../../deploy/pgbouncer/pgbouncer.ini");

/// Name of the settings file.
const FILE: &str = "pgbouncer.ini";

/// A running PgBouncer. When dropped, it is killed and its folder is deleted.
#[derive(Debug)]
pub struct Pooler {
    /// The port to connect to.
    pub port: u16,
    child: Child,
    folder: PathBuf,
}

impl Pooler {
    /// A pooler for all databases of the server at a port, with the recommended settings
    /// and then these.
    pub async fn start(server: u16, settings: &str) -> Self {
        let folder = env::temp_dir().join(format!("pgbouncer-{}", Uuid::now_v7()));
        fs::create_dir(&folder).unwrap();
        let port = free_port();
        let (_, recommended) = SETTINGS.split_once("[pgbouncer]").unwrap();
        let users = folder.join("users");
        let configuration = format!(
            "[databases]\n* = host=127.0.0.1 port={server}\n[pgbouncer]\n{recommended}\n\
             listen_port = {port}\nauth_file = {}\nunix_socket_dir =\n{settings}\n",
            users.display()
        );
        let passwords = SERVICE_ROLES.map(|role| format!("\"{role}\" \"password\"\n"));
        fs::write(&users, passwords.concat()).unwrap();
        fs::write(folder.join(FILE), configuration).unwrap();
        let pooler = Self { port, child: spawn(&folder), folder };
        eventually(async || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(|_| pooler.log())
        })
        .await;
        pooler
    }

    /// The log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap()
    }
}

fn spawn(folder: &Path) -> Child {
    let mut command = Command::new(env::var_os("PGBOUNCER").expect("run `cargo stack test`"));
    // PgBouncer refuses to run as root.
    if fs::metadata(folder).unwrap().uid() == 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        command.args(["--user", "nobody"]);
    }
    command
        .arg(folder.join(FILE))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(folder.join("log")).unwrap())
        .spawn()
        .unwrap()
}

impl Drop for Pooler {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of PgBouncer\n{}", self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
