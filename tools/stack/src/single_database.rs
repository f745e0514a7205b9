//! A single database server, for commands that use no other server.

use anyhow::Result;

use crate::{
    data_folder,
    debian_packages::ensure_postgres,
    instance::Instance,
    ports::{Ports, Use},
    postgres::Cluster,
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
    /// Starts the server on a free port, with its data in the instance's folder.
    pub fn start(instance: &Instance) -> Result<Self> {
        let binaries = ensure_postgres(&instance.project.private_folder())?;
        let user = SystemUser::for_server("postgres")?;
        let step = Step::begin("database");
        let cluster = Cluster {
            name: "single_db",
            database: "write_db",
            roles: &[],
            port: Ports::free_for_infrastructure()?.of(Use::WriteDatabase),
            max_connections: MAX_CONNECTIONS,
            folder: data_folder::prepare(&instance.folder, &[user])?,
            binaries,
            user,
        };
        cluster.create()?;
        cluster.remove_stale_lock();
        let mut server = Supervised::start(cluster.process(), &instance.record)?;
        cluster.wait_until_ready(|| server.ended().is_some())?;
        step.done(&format!("PostgreSQL {} on port {}", cluster.binaries.version, cluster.port));
        Ok(Self { cluster, server })
    }

    pub fn stop(&mut self) {
        self.server.stop();
    }
}
