//! The databases and the broker of an instance, started and stopped together.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context, Result, anyhow};
use nix::sys::signal::Signal;

use crate::{
    data_folder,
    debian_packages::{Servers, ensure_servers},
    instance::Instance,
    ports::{Ports, Use},
    postgres::Cluster,
    rabbitmq::Broker,
    rabbitmq_setup,
    supervisor::Supervised,
    system_user::SystemUser,
    terminal::Step,
};

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
    throw_away: bool,
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
        let servers = ensure_servers(&plan.instance.project.private_folder())?;
        let mut infrastructure = Self::lay_out(plan, servers)?;
        let started = thread::scope(|scope| {
            let write = scope.spawn(|| start_cluster(&infrastructure.write, plan));
            let read = scope.spawn(|| start_cluster(&infrastructure.read, plan));
            let broker = scope.spawn(|| start_broker(&infrastructure.broker, plan));
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

    fn lay_out(plan: &Plan<'_>, servers: Servers) -> Result<Self> {
        let postgres = SystemUser::for_server("postgres")?;
        let rabbitmq = SystemUser::for_server("rabbitmq")?;
        let folder = data_folder::prepare(&plan.instance.folder, &[postgres, rabbitmq])?;
        if plan.throw_away {
            remove_data(&folder)?;
        }
        let cluster = |name, database, roles, use_| Cluster {
            name,
            database,
            roles,
            port: plan.ports.of(use_),
            max_connections: plan.max_connections,
            folder: folder.clone(),
            binaries: servers.postgres.clone(),
            user: postgres,
        };
        Ok(Self {
            write: cluster(
                "db",
                "write_db",
                &["command_service", "monitoring"],
                Use::WriteDatabase,
            ),
            read: cluster(
                "read_db",
                "read_db",
                &["consumer_service", "query_service", "monitoring"],
                Use::ReadDatabase,
            ),
            broker: Broker::new(&folder, plan.ports, servers.rabbitmq, rabbitmq),
            processes: Vec::new(),
            folder,
            throw_away: plan.throw_away,
        })
    }

    /// The addresses for people and tests, as environment variables.
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("DATABASE_URL", self.write.url()),
            ("READ_DATABASE_URL", self.read.url()),
            ("BROKER_URL", self.broker.url()),
            ("BROKER_MANAGEMENT_URL", self.broker.management_url()),
        ]
    }

    /// Stops the broker, then the clusters.
    pub fn stop(&mut self) {
        let running = self.processes.iter_mut().any(|process| process.ended().is_none());
        if self.processes.is_empty() || !running {
            return;
        }
        // No output for throw-away servers: the tests' summary is the last line.
        let step = (!self.throw_away).then(|| Step::begin("stop the broker and the databases"));
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

fn start_cluster(cluster: &Cluster, plan: &Plan<'_>) -> Result<Vec<Supervised>> {
    let step = Step::begin(&format!("database `{}`", cluster.name));
    step.detail("creating the cluster");
    cluster.create()?;
    cluster.remove_stale_lock();
    step.detail("starting");
    let spec = cluster.process();
    // An immediate shutdown: the data is not used again.
    let spec = if plan.throw_away { spec.stopped_by(Signal::SIGQUIT) } else { spec };
    let mut process = Supervised::start(spec, &plan.instance.record)?;
    cluster.wait_until_ready(|| process.ended().is_some())?;
    cluster.grant(&plan.instance.project.root.join("db/roles"))?;
    step.done(&format!("PostgreSQL {} on port {}", cluster.binaries.version, cluster.port));
    Ok(vec![process])
}

fn start_broker(broker: &Broker, plan: &Plan<'_>) -> Result<Vec<Supervised>> {
    let step = Step::begin("broker");
    let configuration = plan.instance.project.root.join("deploy/broker");
    broker.configure(&configuration.join("rabbitmq.conf"))?;
    let port_mapper = Supervised::start(broker.port_mapper_process(), &plan.instance.record)?;
    let spec = broker.process();
    let spec = if plan.throw_away { spec.stopped_by(Signal::SIGKILL) } else { spec };
    let mut node = Supervised::start(spec, &plan.instance.record)?;
    step.detail("starting");
    broker.wait_until_ready(|| node.ended().is_some())?;
    step.detail("virtual host, users and policies");
    let definitions = configuration.join("definitions.json");
    let definitions = fs::read_to_string(&definitions)
        .with_context(|| format!("cannot read {}", definitions.display()))?;
    rabbitmq_setup::make_queues_quorum(broker.management_port)?;
    let loaded = broker.home().join("definitions.json");
    rabbitmq_setup::load_definitions(broker.management_port, &definitions, &loaded)?;
    step.done(&format!("RabbitMQ {} on port {}", broker.version(), broker.amqp_port));
    Ok(vec![port_mapper, node])
}

fn remove_data(folder: &Path) -> Result<()> {
    for name in ["db", "read_db", "broker", "db.log", "read_db.log", "broker.log"] {
        let path = folder.join(name);
        let removed =
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}
