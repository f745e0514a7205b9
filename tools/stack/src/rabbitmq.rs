//! A private RabbitMQ node with its own Erlang port mapper.
//!
//! The port mapper (epmd) is started here, in the foreground and on its own port. Otherwise the
//! node would start one that serves the whole machine and outlives the node.

use crate::data_folder;
use crate::leftovers::Record;
use crate::ports::{Ports, Use};
use crate::process::{Output, ProcessSpec};
use crate::rabbitmq_setup::{self, SERVICE_PASSWORD};
use crate::server_binaries::RabbitmqBinaries;
use crate::supervisor::Supervised;
use crate::system_user::SystemUser;
use crate::terminal::Step;
use anyhow::Result;
use fs_err as fs;
use minreq::Method;
use nix::sys::signal::Signal;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

const START_DEADLINE: Duration = Duration::from_secs(120);

/// The node's name. The data belongs to it, so its host part is not the machine's name, which
/// may change with the network.
const NODE: &str = "shop@localhost";

#[derive(Debug, Clone)]
pub struct Broker {
    pub ports: Ports,
    /// The instance's folder. The node has its own folder in it.
    pub folder: PathBuf,
    pub binaries: RabbitmqBinaries,
    pub user: SystemUser,
    /// Whether the data is not used again. Then it is stopped without an orderly shutdown.
    pub throw_away: bool,
}

impl Broker {
    /// The address for people, with all permissions, and virtual host `/`.
    pub fn url(&self) -> String {
        self.address("guest", "guest")
    }

    pub fn url_as(&self, service: &str) -> String {
        self.address(service, SERVICE_PASSWORD)
    }

    fn address(&self, user: &str, password: &str) -> String {
        format!("amqp://{user}:{password}@127.0.0.1:{}/%2f", self.ports.of(Use::Amqp))
    }

    pub fn management_url(&self) -> String {
        format!("http://guest:guest@127.0.0.1:{}", self.ports.of(Use::Management))
    }

    fn home(&self) -> PathBuf {
        self.folder.join("broker")
    }

    /// Starts the port mapper and the node, which it returns in this order, and sets up a fresh
    /// node. `configuration` is the project's folder with the configuration.
    pub fn start(&self, configuration: &Path, record: &Record) -> Result<Vec<Supervised>> {
        let step = Step::begin("broker");
        self.configure(&configuration.join("rabbitmq.conf"))?;
        let port_mapper = Supervised::start(self.port_mapper_process(), record)?;
        let mut node = Supervised::start(self.process(), record)?;
        step.detail("starting");
        node.wait_until_ready(START_DEADLINE, || self.check())?;
        step.detail("virtual host, users and policies");
        let definitions = fs::read_to_string(configuration.join("definitions.json"))?;
        let management_port = self.ports.of(Use::Management);
        rabbitmq_setup::make_queues_quorum(management_port)?;
        let loaded = self.home().join("definitions.json");
        rabbitmq_setup::load_definitions(management_port, &definitions, &loaded)?;
        let (version, port) = (self.binaries.version, self.ports.of(Use::Amqp));
        step.done(&format!("RabbitMQ {version} on port {port}"));
        Ok(vec![port_mapper, node])
    }

    /// Writes the node's configuration: that of the project, which Docker Compose also uses, and
    /// this instance's addresses.
    fn configure(&self, project_configuration: &Path) -> Result<()> {
        let home = self.home();
        data_folder::create_for(&home, self.user)?;
        let shared = fs::read_to_string(project_configuration)?;
        let addresses = format!(
            "\nlisteners.tcp.1 = 127.0.0.1:{}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {}\n\
             log.console = true\nlog.console.use_colors = off\nlog.file = false\n",
            self.ports.of(Use::Amqp),
            self.ports.of(Use::Management),
        );
        let files = [
            ("rabbitmq.conf", shared + &addresses),
            ("advanced.config", "[].\n".to_owned()),
            ("rabbitmq-env.conf", String::new()),
            ("enabled_plugins", "[rabbitmq_management].\n".to_owned()),
        ];
        for (name, text) in files {
            fs::write(home.join(name), text)?;
        }
        Ok(())
    }

    fn port_mapper_process(&self) -> ProcessSpec {
        let port = self.ports.of(Use::PortMapper).to_string();
        ProcessSpec {
            name: "epmd".to_owned(),
            program: self.binaries.port_mapper.clone(),
            arguments: ["-port".into(), port.into()].to_vec(),
            stop_signal: Signal::SIGTERM,
            grace: Duration::from_secs(5),
            ..self.process()
        }
    }

    fn process(&self) -> ProcessSpec {
        ProcessSpec {
            name: "broker".to_owned(),
            program: self.binaries.server.clone(),
            arguments: Vec::new(),
            environment: self.environment(),
            directory: self.home(),
            user: self.user,
            output: Output::File(self.folder.join("broker.log")),
            stop_signal: if self.throw_away { Signal::SIGKILL } else { Signal::SIGTERM },
            grace: Duration::from_secs(60),
        }
    }

    /// The environment of the node and its tools. They use no settings of a system-wide
    /// installation.
    fn environment(&self) -> Vec<(&'static str, OsString)> {
        let home = self.home();
        vec![
            ("HOME", home.clone().into()),
            ("RABBITMQ_CONF_ENV_FILE", home.join("rabbitmq-env.conf").into()),
            ("RABBITMQ_CONFIG_FILE", home.join("rabbitmq.conf").into()),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", home.join("advanced.config").into()),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", home.join("enabled_plugins").into()),
            ("RABBITMQ_GENERATED_CONFIG_DIR", home.join("generated").into()),
            ("RABBITMQ_MNESIA_BASE", home.join("data").into()),
            ("RABBITMQ_LOG_BASE", home.join("log").into()),
            ("RABBITMQ_PID_FILE", home.join("node.pid").into()),
            ("RABBITMQ_NODENAME", NODE.into()),
            // Erlang's schedulers may run on any core. Bound to one core each, as is usual on
            // a dedicated machine, they would wait while a database uses that core and
            // another is free.
            ("RABBITMQ_SCHEDULER_BIND_TYPE", "u".into()),
            ("RABBITMQ_DIST_PORT", self.ports.of(Use::Distribution).to_string().into()),
            ("ERL_EPMD_PORT", self.ports.of(Use::PortMapper).to_string().into()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".into()),
            // Also for the processes that the node starts: otherwise Erlang's distribution
            // listens on every interface.
            ("ERL_AFLAGS", "-kernel inet_dist_use_interface {127,0,0,1}".into()),
            // The start script becomes the node instead of waiting for it, so that signals
            // reach the node. The two flags (no shell, no break handler) are those that the
            // script adds otherwise.
            ("RABBITMQ_ALLOW_INPUT", "true".into()),
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-noinput +B i".into()),
        ]
    }

    /// Whether clients can connect.
    fn check(&self) -> Result<String> {
        let path = format!("/api/health/checks/port-listener/{}", self.ports.of(Use::Amqp));
        rabbitmq_setup::manage(self.ports.of(Use::Management), Method::Get, &path, "")
    }
}
