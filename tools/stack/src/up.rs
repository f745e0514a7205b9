//! `cargo stack up`: starts the whole stack.

use crate::cargo_build::{Programs, build_during, cancellable_build};
use crate::cli::UpArgs;
use crate::debian_packages::{NGINX, ensure};
use crate::infrastructure::{Infrastructure, MAX_CONNECTIONS, Plan};
use crate::instance::Instance;
use crate::ports::{Ports, Use};
use crate::server_binaries::{NginxBinary, find_nginx};
use crate::services::{self, Services};
use crate::terminal::{self, GREEN, Step, paint};
use crate::{gateway, logs, supervisor};
use anyhow::Result;
use std::path::Path;
use std::process::ExitCode;

/// Starts everything, prints the addresses and the services' logs, and stops everything when a
/// stop is requested.
pub fn run(args: &UpArgs) -> Result<ExitCode> {
    let instance = Instance::open(if args.throw_away { "throw-away" } else { "up" }, "up")?;
    let Instance { project, record, .. } = &instance;
    let count = if args.gateway { Ports::STACK_AND_GATEWAY } else { Ports::STACK };
    let ports = Ports::with_offset(count, args.instance.port_offset)?;
    ports.check_free()?;

    let plan = Plan {
        instance: &instance,
        ports: &ports,
        max_connections: MAX_CONNECTIONS,
        throw_away: args.throw_away,
    };
    let (programs, (nginx, mut infrastructure)) = build_and_start(&plan, args)?;
    logs::hold();
    let mut services = Services::start(project, &programs, &infrastructure, &ports, record)?;
    let mut gateway =
        nginx.map(|nginx| gateway::start(&plan, &nginx, &infrastructure.folder)).transpose()?;
    print_addresses(&ports, &infrastructure.folder, args.throw_away);
    logs::release();

    let mut all: Vec<_> = infrastructure
        .processes
        .iter_mut()
        .chain(&mut services.processes)
        .chain(&mut gateway)
        .collect();
    let outcome = supervisor::supervise_until_interrupted(&mut all, record);
    // Before the services, so that their last responses arrive.
    if let Some(gateway) = &mut gateway {
        let step = Step::begin("stop the gateway");
        gateway.stop();
        step.done("");
    }
    services.stop();
    infrastructure.stop();
    record.clear();
    outcome.map(|()| ExitCode::SUCCESS)
}

type Servers = (Option<NginxBinary>, Infrastructure);

/// Builds the services while the databases and the broker are installed and started. On a new
/// machine both take minutes.
fn build_and_start(plan: &Plan<'_>, args: &UpArgs) -> Result<(Programs, Servers)> {
    let mut cargo = plan.instance.project.cargo();
    cargo.args(["build", if args.dev { "--profile=dev" } else { "--release" }]);
    cargo.args(services::programs().map(|program| ["--bin", program]).as_flattened());
    build_during(
        |cancelled| cancellable_build(&mut cargo, "the services", cancelled),
        || {
            let folder = plan.instance.project.private_folder();
            let nginx = args.gateway.then(|| ensure(&folder, &NGINX, find_nginx)).transpose()?;
            Ok((nginx, Infrastructure::start(plan)?))
        },
    )
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
