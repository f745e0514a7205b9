//! A private RabbitMQ node with its own Erlang port mapper.
//!
//! The port mapper (epmd) is started here, in the foreground and on its own port. Otherwise the
//! node would start one that serves the whole machine and outlives the node.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use crate::{
    data_folder,
    http::Request,
    ports::{Ports, Use},
    process::{Output, ProcessSpec},
    rabbitmq_setup::{AUTHORIZATION, SERVICE_PASSWORD},
    server_binaries::{RabbitmqBinaries, Version},
    system_user::SystemUser,
};

const START_DEADLINE: Duration = Duration::from_secs(120);

/// The node's name. The data belongs to it, so its host part is not the machine's name, which
/// may change with the network.
const NODE: &str = "shop@localhost";

#[derive(Debug, Clone)]
pub struct Broker {
    pub amqp_port: u16,
    pub management_port: u16,
    distribution_port: u16,
    port_mapper_port: u16,
    folder: PathBuf,
    binaries: RabbitmqBinaries,
    user: Option<SystemUser>,
}

impl Broker {
    pub fn new(
        folder: &Path,
        ports: &Ports,
        binaries: RabbitmqBinaries,
        user: Option<SystemUser>,
    ) -> Self {
        Self {
            amqp_port: ports.of(Use::Amqp),
            management_port: ports.of(Use::Management),
            distribution_port: ports.of(Use::Distribution),
            port_mapper_port: ports.of(Use::PortMapper),
            folder: folder.to_owned(),
            binaries,
            user,
        }
    }

    /// The address for people, with all permissions, and virtual host `/`.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.amqp_port)
    }

    pub fn url_as(&self, service: &str) -> String {
        format!("amqp://{service}:{SERVICE_PASSWORD}@127.0.0.1:{}/%2f", self.amqp_port)
    }

    pub fn management_url(&self) -> String {
        format!("http://guest:guest@127.0.0.1:{}", self.management_port)
    }

    pub fn version(&self) -> Version {
        self.binaries.version
    }

    pub fn log(&self) -> PathBuf {
        self.folder.join("broker.log")
    }

    pub fn home(&self) -> PathBuf {
        self.folder.join("broker")
    }

    /// Writes the node's configuration: that of the project, which Docker Compose also uses, and
    /// this instance's addresses.
    pub fn configure(&self, project_configuration: &Path) -> Result<()> {
        let home = self.home();
        data_folder::create_for(&home, self.user)?;
        let shared = fs::read_to_string(project_configuration)
            .with_context(|| format!("cannot read {}", project_configuration.display()))?;
        let addresses = format!(
            "\nlisteners.tcp.1 = 127.0.0.1:{}\nmanagement.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {}\n\
             log.console = true\nlog.console.use_colors = off\nlog.file = false\n",
            self.amqp_port, self.management_port
        );
        let files = [
            ("rabbitmq.conf", shared + &addresses),
            ("advanced.config", "[].\n".to_owned()),
            ("rabbitmq-env.conf", String::new()),
            ("enabled_plugins", "[rabbitmq_management].\n".to_owned()),
        ];
        for (name, text) in files {
            let path = home.join(name);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    pub fn port_mapper_process(&self) -> ProcessSpec {
        ProcessSpec {
            name: "epmd".to_owned(),
            program: self.binaries.port_mapper.clone(),
            arguments: ["-port".into(), self.port_mapper_port.to_string().into()].to_vec(),
            environment: self.environment(),
            directory: self.home(),
            user: self.user,
            output: Output::File(self.log()),
            stop_signal: Signal::SIGTERM,
            grace: Duration::from_secs(5),
        }
    }

    pub fn process(&self) -> ProcessSpec {
        ProcessSpec {
            name: "broker".to_owned(),
            program: self.binaries.server.clone(),
            arguments: Vec::new(),
            environment: self.environment(),
            directory: self.home(),
            user: self.user,
            output: Output::File(self.log()),
            stop_signal: Signal::SIGTERM,
            grace: Duration::from_secs(60),
        }
    }

    /// The environment of the node and its tools. They use no settings of a system-wide
    /// installation.
    fn environment(&self) -> Vec<(String, OsString)> {
        let home = self.home();
        let paths = [
            ("HOME", home.clone()),
            ("RABBITMQ_CONF_ENV_FILE", home.join("rabbitmq-env.conf")),
            ("RABBITMQ_CONFIG_FILE", home.join("rabbitmq.conf")),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", home.join("advanced.config")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", home.join("enabled_plugins")),
            ("RABBITMQ_GENERATED_CONFIG_DIR", home.join("generated")),
            ("RABBITMQ_MNESIA_BASE", home.join("data")),
            ("RABBITMQ_LOG_BASE", home.join("log")),
            ("RABBITMQ_PID_FILE", home.join("node.pid")),
        ];
        let values = [
            ("RABBITMQ_NODENAME", NODE.to_owned()),
            // Erlang's schedulers may run on any core. Bound to one core each, as is usual on
            // a dedicated machine, they would wait while a database uses that core and
            // another is free.
            ("RABBITMQ_SCHEDULER_BIND_TYPE", "u".to_owned()),
            ("RABBITMQ_DIST_PORT", self.distribution_port.to_string()),
            ("ERL_EPMD_PORT", self.port_mapper_port.to_string()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
            // Also for the processes that the node starts: otherwise Erlang's distribution
            // listens on every interface.
            ("ERL_AFLAGS", "-kernel inet_dist_use_interface {127,0,0,1}".to_owned()),
            // The start script becomes the node instead of waiting for it, so that signals
            // reach the node. The two flags (no shell, no break handler) are those that the
            // script adds otherwise.
            ("RABBITMQ_ALLOW_INPUT", "true".to_owned()),
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-noinput +B i".to_owned()),
        ];
        let paths = paths.map(|(name, path)| (name.to_owned(), path.into_os_string()));
        let values = values.map(|(name, value)| (name.to_owned(), OsString::from(value)));
        paths.into_iter().chain(values).collect()
    }

    /// Waits until clients can connect. `died` returns whether the node has ended.
    pub fn wait_until_ready(&self, died: impl FnMut() -> bool) -> Result<()> {
        let path = format!("/api/health/checks/port-listener/{}", self.amqp_port);
        let mut check = Request::get(self.management_port, &path);
        check.authorization = Some(AUTHORIZATION);
        if !check.succeeds_within(START_DEADLINE, died)? {
            bail!("the broker does not start; its log: {}", self.log().display());
        }
        Ok(())
    }
}
