//! `cargo stack up`: starts the whole stack.

use std::{
    path::Path,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use anyhow::{Result, anyhow};

use crate::{
    cargo_build::{Programs, cargo_build},
    cli::UpArgs,
    debian_packages::ensure_nginx,
    gateway,
    infrastructure::{Infrastructure, Plan},
    instance_lock::InstanceLock,
    leftovers::Record,
    logs,
    ports::{Ports, Use},
    project::Project,
    server_binaries::NginxBinary,
    services::{self, Services},
    supervisor,
    terminal::{self, GREEN, paint},
};

/// Connections of each cluster: the services' pools and people.
const MAX_CONNECTIONS: u16 = 200;

/// Starts everything, prints the addresses and the services' logs, and stops everything when a
/// stop is requested.
pub fn run(args: &UpArgs) -> Result<ExitCode> {
    let project = Project::locate()?;
    let name = if args.throw_away { "throw-away" } else { "up" };
    let folder = project.private_folder().join(name);
    let _lock = InstanceLock::acquire(&folder, "up")?;
    let record = Record::of(&folder);
    record.stop_leftovers()?;
    let ports = ports(args)?;
    ports.check_free()?;

    let plan = Plan {
        project: &project,
        folder: &folder,
        ports: &ports,
        max_connections: MAX_CONNECTIONS,
        record: &record,
        throw_away: args.throw_away,
    };
    let Started { programs, mut infrastructure, nginx } = build_and_start(&plan, args)?;
    logs::hold();
    let mut services = Services::start(&project, &programs, &infrastructure, &ports, &record)?;
    let mut gateway =
        nginx.map(|nginx| gateway::start(&plan, nginx, &infrastructure.folder)).transpose()?;
    print_addresses(&ports, &infrastructure.folder, args.throw_away);
    logs::release();

    let mut all: Vec<_> = infrastructure
        .processes
        .iter_mut()
        .chain(&mut services.processes)
        .chain(&mut gateway)
        .collect();
    let outcome = supervisor::supervise_until_interrupted(&mut all, &record);
    if let Some(gateway) = &mut gateway {
        gateway::stop(gateway);
    }
    services.stop();
    infrastructure.stop();
    record.clear();
    outcome.map(|()| ExitCode::SUCCESS)
}

fn ports(args: &UpArgs) -> Result<Ports> {
    let offset = args.instance.port_offset;
    if args.gateway { Ports::of_stack_and_gateway(offset) } else { Ports::of_stack(offset) }
}

/// What is ready before the services and the gateway start.
struct Started {
    programs: Programs,
    infrastructure: Infrastructure,
    /// For the gateway, if it was requested.
    nginx: Option<NginxBinary>,
}

/// Builds the services while the databases and the broker are installed and started. On a new
/// machine both take minutes.
fn build_and_start(plan: &Plan<'_>, args: &UpArgs) -> Result<Started> {
    let failed = AtomicBool::new(false);
    let mut cargo = plan.project.cargo();
    cargo.args(["build", if args.dev { "--profile=dev" } else { "--release" }]);
    cargo.args(services::programs().map(|program| ["--bin", program]).as_flattened());
    thread::scope(|scope| {
        let build = scope.spawn(|| cargo_build(&mut cargo, "the services", &failed));
        let servers = start_servers(plan, args.gateway)
            .inspect_err(|_| failed.store(true, Ordering::Relaxed));
        let programs = build.join().map_err(|_| anyhow!("the build panicked"))?;
        // An error of the servers comes first: it is why the build was cancelled.
        let (nginx, infrastructure) = servers?;
        Ok(Started { programs: programs?, infrastructure, nginx })
    })
}

fn start_servers(plan: &Plan<'_>, gateway: bool) -> Result<(Option<NginxBinary>, Infrastructure)> {
    let nginx = gateway.then(|| ensure_nginx(&plan.project.private_folder())).transpose()?;
    Ok((nginx, Infrastructure::start(plan)?))
}

fn print_addresses(ports: &Ports, folder: &Path, throw_away: bool) {
    let at = |use_: Use| format!("http://localhost:{}", ports.of(use_));
    let database = |use_: Use, name: &str| {
        format!("postgres://user:password@localhost:{}/{name}", ports.of(use_))
    };
    let (gateway, logs) = match ports.find(Use::Gateway) {
        Some(port) => (
            format!("gateway            http://localhost:{port} (both APIs)\n  "),
            "db,read_db,broker,gateway",
        ),
        None => (String::new(), "db,read_db,broker"),
    };
    terminal::print(&format!(
        "\n{ready}\n\n  \
         command API        {command}\n  \
         query API          {query}\n  \
         {gateway}\
         operations         {operations} (command), {query_operations} (query), {consumer} (consumer)\n  \
         broker             amqp://guest:guest@localhost:{amqp}, {management} (guest/guest)\n  \
         write database     {write}\n  \
         read database      {read}\n  \
         servers' logs      {folder}/{{{logs}}}.log\n\n\
         Try it:\n\n  \
         curl -i {command}/api/products -H 'content-type: application/json' \\\n       \
         -d '{{\"name\":\"Assam tea\",\"category\":\"Drinks\",\"price\":4.5,\"stock\":100}}'\n  \
         curl {query}/api/products\n\n\
         Ctrl-C stops everything; {fate}. The services' logs:\n",
        fate = if throw_away { "the data is not kept" } else { "the data stays" },
        ready = paint(GREEN, "The stack is up."),
        command = at(Use::CommandApi),
        query = at(Use::QueryApi),
        operations = at(Use::CommandOperations),
        query_operations = at(Use::QueryOperations),
        consumer = at(Use::ConsumerOperations),
        amqp = ports.of(Use::Amqp),
        management = at(Use::Management),
        write = database(Use::WriteDatabase, "write_db"),
        read = database(Use::ReadDatabase, "read_db"),
        folder = folder.display(),
    ));
}
