//! A single database server, for commands that use no other server.

use std::path::Path;

use anyhow::Result;

use crate::{
    data_folder,
    debian_packages::ensure_postgres,
    leftovers::Record,
    ports::{Ports, Use},
    postgres::Cluster,
    project::Project,
    supervisor::Supervised,
    system_user::SystemUser,
    terminal::Step,
};

/// Each test has a pool, and one test per core runs at a time.
const MAX_CONNECTIONS: u16 = 200;

/// A running server. Dropping it stops it. The cluster stays, which makes the next start quick.
#[derive(Debug)]
pub struct SingleDatabase {
    /// The cluster, with an empty database `write_db`.
    pub cluster: Cluster,
    server: Supervised,
}

impl SingleDatabase {
    /// Starts the server on a free port, with its data in this folder.
    pub fn start(project: &Project, folder: &Path, record: &Record) -> Result<Self> {
        let binaries = ensure_postgres(&project.private_folder())?;
        let user = SystemUser::for_server("postgres")?;
        let step = Step::begin("database");
        let cluster = Cluster {
            name: "single_db",
            database: "write_db",
            roles: &[],
            port: Ports::free_for_infrastructure()?.of(Use::WriteDatabase),
            max_connections: MAX_CONNECTIONS,
            folder: data_folder::prepare(folder, &[user])?,
            binaries,
            user,
        };
        cluster.create()?;
        cluster.remove_stale_lock();
        let mut server = Supervised::start(cluster.process(), record)?;
        cluster.wait_until_ready(|| server.ended().is_some())?;
        step.done(&format!("PostgreSQL {} on port {}", cluster.binaries.version, cluster.port));
        Ok(Self { cluster, server })
    }

    /// Stops the server.
    pub fn stop(&mut self) {
        self.server.stop();
    }
}
