//! The three services: how they are started and when they are ready.

use std::{
    ffi::OsString,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use crate::{
    cargo_build::Programs,
    http,
    infrastructure::Infrastructure,
    interrupt,
    leftovers::Record,
    logs::LogStream,
    ports::{Ports, Use},
    process::{Output, ProcessSpec},
    project::Project,
    supervisor::Supervised,
    system_user::SystemUser,
    terminal::{self, Colour, Step},
};

const START_DEADLINE: Duration = Duration::from_secs(120);

/// A service. Its name is that of its package and program.
#[derive(Debug, Clone, Copy)]
struct Service {
    name: &'static str,
    label: &'static str,
    colour: Colour,
    health: Use,
    operations: Use,
}

const SERVICES: [Service; 3] = [
    Service {
        name: "command-service",
        label: "command  |",
        colour: Colour(36),
        health: Use::CommandApi,
        operations: Use::CommandOperations,
    },
    Service {
        name: "consumer-service",
        label: "consumer |",
        colour: Colour(35),
        health: Use::ConsumerOperations,
        operations: Use::ConsumerOperations,
    },
    Service {
        name: "query-service",
        label: "query    |",
        colour: Colour(33),
        health: Use::QueryApi,
        operations: Use::QueryOperations,
    },
];

pub fn programs() -> [&'static str; 3] {
    SERVICES.map(|service| service.name)
}

/// The running services. Dropping them stops them.
#[derive(Debug)]
pub struct Services {
    pub processes: Vec<Supervised>,
    /// The servers' data folder.
    folder: PathBuf,
}

impl Services {
    /// Starts all services and waits until each is healthy.
    pub fn start(
        project: &Project,
        programs: &Programs,
        infrastructure: &Infrastructure,
        ports: &Ports,
        record: &Record,
    ) -> Result<Self> {
        let step = Step::begin("services");
        let folder = infrastructure.folder.clone();
        let mut services = Self { processes: Vec::new(), folder };
        for service in SERVICES {
            let spec = ProcessSpec {
                name: service.name.to_owned(),
                program: programs.path(service.name)?.to_owned(),
                arguments: Vec::new(),
                environment: service.environment(infrastructure, ports),
                directory: project.root.clone(),
                user: SystemUser::CURRENT,
                output: Output::Stream(LogStream::new(service.label, service.colour)),
                stop_signal: Signal::SIGTERM,
                grace: Duration::from_secs(20),
            };
            services.processes.push(Supervised::start(spec, record)?);
        }
        services.wait_until_healthy(ports, &step)?;
        step.done("all three are healthy");
        Ok(services)
    }

    fn wait_until_healthy(&mut self, ports: &Ports, step: &Step) -> Result<()> {
        let deadline = Instant::now() + START_DEADLINE;
        for service in SERVICES {
            step.detail(&format!("waiting for {}", service.name));
            loop {
                interrupt::check()?;
                self.fail_if_ended()?;
                let response = http::get(ports.of(service.health), "/health");
                if response.as_ref().is_ok_and(|response| response.status_code == 200) {
                    break;
                }
                self.fail_if_other_data(service, ports)?;
                if Instant::now() >= deadline {
                    self.print_last_lines(service.name);
                    let response =
                        response.with_context(|| format!("{} does not respond", service.name))?;
                    let (status, body) = (response.status_code, response.as_str()?.trim());
                    bail!("{} is not healthy: {status} {body}", service.name);
                }
                interrupt::sleep(Duration::from_millis(250))?;
            }
        }
        Ok(())
    }

    /// Fails if the data is of another version, which does not change by waiting.
    fn fail_if_other_data(&self, service: Service, ports: &Ports) -> Result<()> {
        let Ok(health) = http::get(ports.of(service.operations), "/health") else {
            return Ok(());
        };
        // The message of `service-runtime/src/postgres.rs`.
        let reasons = ["its data cannot be migrated", "a newer version has migrated"];
        if reasons.iter().any(|reason| health.as_str().is_ok_and(|text| text.contains(reason))) {
            self.print_last_lines(service.name);
            bail!(
                "the data is of another version: delete {} to start with empty databases",
                self.folder.display()
            );
        }
        Ok(())
    }

    /// Fails if a service has ended: it is not restarted during the start.
    fn fail_if_ended(&mut self) -> Result<()> {
        let ended = self
            .processes
            .iter_mut()
            .find_map(|process| Some((process.ended()?, process.name().to_owned())));
        if let Some((status, name)) = ended {
            // Its last lines may still be in the pipe.
            thread::sleep(Duration::from_millis(200));
            self.print_last_lines(&name);
            bail!("{name} ended during the start ({status}): see its last lines above");
        }
        Ok(())
    }

    fn print_last_lines(&self, name: &str) {
        for process in self.processes.iter().filter(|process| process.name() == name) {
            for line in process.last_lines() {
                terminal::note(&format!("    {line}"));
            }
        }
    }

    pub fn stop(&mut self) {
        if self.processes.is_empty() {
            return;
        }
        let step = Step::begin("stop the services");
        thread::scope(|scope| {
            for process in &mut self.processes {
                scope.spawn(|| process.stop());
            }
        });
        self.processes.clear();
        step.done("");
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Service {
    /// Its configuration. The caller's other variables remain: `RUST_LOG=debug cargo stack up`
    /// works.
    fn environment(
        self,
        infrastructure: &Infrastructure,
        ports: &Ports,
    ) -> Vec<(String, OsString)> {
        let Infrastructure { write, read, broker, .. } = infrastructure;
        // Each service has its own role and user, with the rights that it uses.
        let addresses = match self.name {
            "command-service" => vec![
                ("DATABASE_URL", write.url_as("command_service")),
                ("BROKER_URL", broker.url_as(self.name)),
            ],
            "consumer-service" => vec![
                ("READ_DATABASE_URL", read.url_as("consumer_service")),
                ("BROKER_URL", broker.url_as(self.name)),
            ],
            _ => vec![("READ_DATABASE_URL", read.url_as("query_service"))],
        };
        let listeners = LISTENERS.map(|(name, use_)| (name, ports.of(use_).to_string()));
        let settings = addresses.into_iter().chain(listeners);
        settings.map(|(name, value)| (name.to_owned(), value.into())).collect()
    }
}

const LISTENERS: [(&str, Use); 5] = [
    ("COMMAND_SERVICE_PORT", Use::CommandApi),
    ("QUERY_SERVICE_PORT", Use::QueryApi),
    ("COMMAND_OPERATIONS_PORT", Use::CommandOperations),
    ("QUERY_OPERATIONS_PORT", Use::QueryOperations),
    ("CONSUMER_OPERATIONS_PORT", Use::ConsumerOperations),
];
