//! The databases and the broker of an instance, started and stopped together.

use crate::data_folder;
use crate::debian_packages::{POSTGRES, ensure, ensure_servers};
use crate::instance::Instance;
use crate::ports::{Ports, Use};
use crate::postgres::Cluster;
use crate::rabbitmq::Broker;
use crate::server_binaries::find_postgres;
use crate::supervisor::Supervised;
use crate::system_user::SystemUser;
use crate::terminal::Step;
use anyhow::{Result, anyhow};
use std::path::PathBuf;
use std::thread;

/// Connections of each cluster for a stack: the services' pools, and people or the bench.
pub const MAX_CONNECTIONS: u16 = 200;

/// Connections of each cluster for tests: each test has its own databases and connection pools,
/// and many run at once.
pub const MAX_CONNECTIONS_OF_TESTS: u16 = 500;

/// Both databases and the broker, running. Dropping it stops them.
#[derive(Debug)]
pub struct Infrastructure {
    pub write: Cluster,
    pub read: Cluster,
    pub broker: Broker,
    /// Their programs, in the order of their starts.
    pub processes: Vec<Supervised>,
    /// The folder of their data and logs.
    pub folder: PathBuf,
}

#[derive(Debug, Clone)]
pub struct Plan<'a> {
    pub instance: &'a Instance,
    pub ports: &'a Ports,
    /// Of each cluster.
    pub max_connections: u16,
    /// Whether the data is for this run only. Then the data of an earlier run is deleted, and the
    /// servers are stopped without an orderly shutdown.
    pub throw_away: bool,
}

impl Infrastructure {
    /// Installs missing servers, creates missing data, and starts all three servers at once.
    pub fn start(plan: &Plan<'_>) -> Result<Self> {
        let mut infrastructure = Self::lay_out(plan)?;
        let Self { write, read, broker, .. } = &infrastructure;
        let Instance { project, record, .. } = plan.instance;
        let start_cluster = |cluster: &Cluster| {
            let process = cluster.start(record)?;
            cluster.grant(&project.root.join("db/roles"))?;
            Ok(vec![process])
        };
        let started = thread::scope(|scope| {
            let write = scope.spawn(|| start_cluster(write));
            let read = scope.spawn(|| start_cluster(read));
            let broker = scope.spawn(|| broker.start(&project.root.join("deploy/broker"), record));
            [write.join(), read.join(), broker.join()]
        });
        // All started programs are recorded before an error is returned, so that they are
        // stopped in order.
        let mut failure = None;
        for outcome in started {
            match outcome.map_err(|_| anyhow!("a start panicked")).flatten() {
                Ok(processes) => infrastructure.processes.extend(processes),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(infrastructure), Err)
    }

    fn lay_out(plan: &Plan<'_>) -> Result<Self> {
        let (postgres_binaries, rabbitmq_binaries) =
            ensure_servers(&plan.instance.project.private_folder())?;
        let postgres = SystemUser::for_server("postgres")?;
        let rabbitmq = SystemUser::for_server("rabbitmq")?;
        let folder = data_folder::prepare(&plan.instance.folder, &[postgres, rabbitmq])?;
        if plan.throw_away {
            for name in ["db", "read_db", "broker", "db.log", "read_db.log", "broker.log"] {
                data_folder::remove_if_exists(&folder.join(name))?;
            }
        }
        let write = Cluster {
            name: "db",
            database: "write_db",
            roles: &["command_service", "monitoring"],
            port: plan.ports.of(Use::WriteDatabase),
            max_connections: plan.max_connections,
            folder: folder.clone(),
            binaries: postgres_binaries,
            user: postgres,
            throw_away: plan.throw_away,
        };
        let read = Cluster {
            name: "read_db",
            database: "read_db",
            roles: &["consumer_service", "query_service", "monitoring"],
            port: plan.ports.of(Use::ReadDatabase),
            ..write.clone()
        };
        let broker = Broker {
            ports: plan.ports.clone(),
            folder: folder.clone(),
            binaries: rabbitmq_binaries,
            user: rabbitmq,
            throw_away: plan.throw_away,
        };
        let processes = Vec::new();
        Ok(Self { write, read, broker, processes, folder })
    }

    /// The addresses for people and tests, as environment variables.
    pub fn environment(&self) -> Vec<(String, String)> {
        let variables = [
            ("DATABASE_URL", self.write.url()),
            ("READ_DATABASE_URL", self.read.url()),
            ("BROKER_URL", self.broker.url()),
            ("BROKER_MANAGEMENT_URL", self.broker.management_url()),
        ];
        variables.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    /// Stops the broker, then the clusters.
    pub fn stop(&mut self) {
        if self.processes.iter_mut().all(|process| process.ended().is_some()) {
            return;
        }
        // No output for throw-away servers: the tests' summary is the last line.
        let step =
            (!self.broker.throw_away).then(|| Step::begin("stop the broker and the databases"));
        for process in self.processes.iter_mut().rev() {
            if let Some(step) = &step {
                step.detail(process.name());
            }
            process.stop();
        }
        self.processes.clear();
        if let Some(step) = step {
            step.done("");
        }
    }
}

impl Drop for Infrastructure {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts one PostgreSQL on a free port, with its data in the instance's folder and an empty
/// database `write_db`, for commands that use no other server. The cluster stays, which makes
/// the next start quick.
pub fn start_single_database(instance: &Instance) -> Result<(Cluster, Supervised)> {
    let binaries = ensure(&instance.project.private_folder(), &POSTGRES, find_postgres)?;
    let user = SystemUser::for_server("postgres")?;
    let cluster = Cluster {
        name: "single_db",
        database: "write_db",
        roles: &[],
        port: Ports::free_for_infrastructure()?.of(Use::WriteDatabase),
        // Each test has a pool, and one test per core runs at a time.
        max_connections: 200,
        folder: data_folder::prepare(&instance.folder, &[user])?,
        binaries,
        user,
        throw_away: false,
    };
    let server = cluster.start(&instance.record)?;
    Ok((cluster, server))
}
