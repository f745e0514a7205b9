//! `cargo stack infra`: databases and broker only.

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    cli::InfraArgs,
    infrastructure::{Infrastructure, Plan},
    instance_lock::InstanceLock,
    leftovers::Record,
    ports::Ports,
    project::Project,
    supervisor::{self, Supervised},
    terminal,
};

/// Starts databases and broker, prints their addresses as shell exports, and
/// runs until a stop is asked for.
pub fn run(args: &InfraArgs) -> Result<ExitCode> {
    let project = Project::locate()?;
    let folder = project.private_folder().join(folder_name(args));
    let _lock = InstanceLock::acquire(&folder, "infra")?;
    let record = Record::of(&folder);
    record.stop_leftovers()?;
    let ports = ports(args)?;
    let plan = Plan {
        project: &project,
        folder: &folder,
        ports: &ports,
        max_connections: 200,
        record: &record,
        throw_away: args.throw_away.is_some(),
    };
    let mut infrastructure = Infrastructure::start(&plan)?;
    print_exports(&infrastructure, &record);
    terminal::note(&format!(
        "Logs and data are in {}; Ctrl-C stops.",
        infrastructure.folder.display()
    ));
    if plan.throw_away {
        infrastructure.processes.iter_mut().for_each(Supervised::expect_deaths);
    }
    let mut all: Vec<_> = infrastructure.processes.iter_mut().collect();
    supervisor::tend_until_interrupted(&mut all, &record)?;
    infrastructure.stop();
    record.clear();
    Ok(ExitCode::SUCCESS)
}

/// Throw-away servers have a folder for each name.
fn folder_name(args: &InfraArgs) -> String {
    args.throw_away.as_ref().map_or_else(|| "infra".to_owned(), |name| format!("throw-away-{name}"))
}

fn ports(args: &InfraArgs) -> Result<Ports> {
    if args.throw_away.is_some() {
        return Ports::free_for_infrastructure();
    }
    let ports = Ports::of_infrastructure(args.instance.port_offset)?;
    ports.check_free()?;
    Ok(ports)
}

/// Prints where the servers are, and where it is written which processes they are.
fn print_exports(infrastructure: &Infrastructure, record: &Record) {
    for (name, value) in infrastructure.environment() {
        terminal::print(&format!("export {name}='{value}'"));
    }
    terminal::print(&format!("export STACK_PROCESSES='{}'", record.path().display()));
}
