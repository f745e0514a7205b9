//! The three services: how they are started and when they are ready.

use crate::cargo_build::Programs;
use crate::infrastructure::Infrastructure;
use crate::leftovers::Record;
use crate::logs::LogStream;
use crate::ports::{Ports, Use};
use crate::process::{Output, ProcessSpec};
use crate::project::Project;
use crate::supervisor::Supervised;
use crate::system_user::SystemUser;
use crate::terminal::{Colour, Step};
use crate::{http, interrupt};
use anyhow::{Result, bail};
use minreq::Method;
use nix::sys::signal::Signal;
use std::ffi::OsString;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

const START_DEADLINE: Duration = Duration::from_secs(120);

/// A service. Its name is that of its package and program.
#[derive(Debug, Clone, Copy)]
struct Service {
    name: &'static str,
    colour: Colour,
    health: Use,
    operations: Use,
}

const SERVICES: [Service; 3] = [
    service("command-service", 36, Use::CommandApi, Use::CommandOperations),
    service("consumer-service", 35, Use::ConsumerOperations, Use::ConsumerOperations),
    service("query-service", 33, Use::QueryApi, Use::QueryOperations),
];

const fn service(name: &'static str, colour: u8, health: Use, operations: Use) -> Service {
    Service { name, colour: Colour(colour), health, operations }
}

pub fn programs() -> [&'static str; 3] {
    SERVICES.map(|service| service.name)
}

/// The running services. Dropping them stops them.
#[derive(Debug)]
pub struct Services {
    pub processes: Vec<Supervised>,
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
        let mut services = Self { processes: Vec::new() };
        for service in SERVICES {
            let label = format!("{:<8} |", service.name.trim_end_matches("-service"));
            let spec = ProcessSpec {
                name: service.name.to_owned(),
                program: programs.path(service.name)?.to_owned(),
                arguments: Vec::new(),
                environment: environment(service.name, infrastructure, ports),
                directory: project.root.clone(),
                user: SystemUser::CURRENT,
                output: Output::Stream(LogStream::new(&label, service.colour)),
                stop_signal: Signal::SIGTERM,
                grace: Duration::from_secs(20),
            };
            services.processes.push(Supervised::start(spec, record)?);
        }
        services.wait_until_healthy(ports, &infrastructure.folder, &step)?;
        step.done("all three are healthy");
        Ok(services)
    }

    /// `data` is the servers' data folder.
    fn wait_until_healthy(&mut self, ports: &Ports, data: &Path, step: &Step) -> Result<()> {
        let deadline = Instant::now() + START_DEADLINE;
        for (index, service) in SERVICES.iter().enumerate() {
            let name = service.name;
            step.detail(&format!("waiting for {name}"));
            let is_healthy =
                || http::send(http::request(Method::Get, ports.of(service.health), "/health"));
            while let Err(error) = is_healthy() {
                self.fail_if_ended()?;
                let process = &self.processes[index];
                if has_other_data(service, ports) {
                    process.print_last_lines();
                    bail!(
                        "the data is of another version: delete {} to start with empty databases",
                        data.display()
                    );
                }
                if Instant::now() >= deadline {
                    process.print_last_lines();
                    return Err(error.context(format!("{name} is not healthy")));
                }
                interrupt::sleep(Duration::from_millis(250))?;
            }
        }
        Ok(())
    }

    /// Fails if a service has ended: it is not restarted during the start.
    fn fail_if_ended(&mut self) -> Result<()> {
        for process in &mut self.processes {
            if let Some(status) = process.ended() {
                // Its last lines may still be in the pipe.
                thread::sleep(Duration::from_millis(200));
                process.print_last_lines();
                let name = process.name();
                bail!("{name} ended during the start ({status}): see its last lines above");
            }
        }
        Ok(())
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

/// Whether the service reports that the data is of another version, which does not change by
/// waiting.
fn has_other_data(service: &Service, ports: &Ports) -> bool {
    // The messages in `service-runtime/src/postgres/migrations.rs`.
    let reasons = ["its data cannot be migrated", "a newer version has migrated"];
    let health = http::request(Method::Get, ports.of(service.operations), "/health").send();
    health.is_ok_and(|health| {
        let text = health.as_str().unwrap_or_default();
        reasons.iter().any(|reason| text.contains(reason))
    })
}

impl Drop for Services {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A service's configuration. The caller's other variables remain: `RUST_LOG=debug cargo stack
/// up` works.
fn environment(
    service: &str,
    infrastructure: &Infrastructure,
    ports: &Ports,
) -> Vec<(&'static str, OsString)> {
    let Infrastructure { write, read, broker, .. } = infrastructure;
    // Each service has its own role and user, with the rights that it uses.
    let addresses = match service {
        "command-service" => vec![
            ("DATABASE_URL", write.url_as("command_service")),
            ("BROKER_URL", broker.url_as(service)),
        ],
        "consumer-service" => vec![
            ("READ_DATABASE_URL", read.url_as("consumer_service")),
            ("BROKER_URL", broker.url_as(service)),
        ],
        _ => vec![("READ_DATABASE_URL", read.url_as("query_service"))],
    };
    let listeners = LISTENERS.map(|(name, use_)| (name, ports.of(use_).to_string()));
    addresses.into_iter().chain(listeners).map(|(name, value)| (name, value.into())).collect()
}

const LISTENERS: [(&str, Use); 5] = [
    ("COMMAND_SERVICE_PORT", Use::CommandApi),
    ("QUERY_SERVICE_PORT", Use::QueryApi),
    ("COMMAND_OPERATIONS_PORT", Use::CommandOperations),
    ("QUERY_OPERATIONS_PORT", Use::QueryOperations),
    ("CONSUMER_OPERATIONS_PORT", Use::ConsumerOperations),
];
