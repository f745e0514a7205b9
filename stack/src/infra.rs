//! `cargo stack infra`: databases and broker only.

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    infrastructure::{Infrastructure, Plan},
    instance_lock::InstanceLock,
    leftovers::Record,
    ports::Ports,
    project::Project,
    supervisor, terminal,
};

/// Starts databases and broker, prints their addresses as shell exports, and
/// runs until a stop is asked for.
pub fn run(port_offset: u16) -> Result<ExitCode> {
    let project = Project::locate()?;
    let folder = project.private_folder().join("infra");
    let _lock = InstanceLock::acquire(&folder, "infra")?;
    let record = Record::of(&folder);
    record.stop_leftovers()?;
    let ports = Ports::of_infrastructure(port_offset)?;
    ports.check_free()?;
    let plan = Plan {
        project: &project,
        folder: &folder,
        ports: &ports,
        max_connections: 200,
        record: &record,
        throw_away: false,
    };
    let mut infrastructure = Infrastructure::start(&plan)?;
    for (name, value) in infrastructure.environment() {
        terminal::print(&format!("export {name}='{value}'"));
    }
    terminal::note(&format!(
        "Logs and data are in {}; Ctrl-C stops.",
        infrastructure.folder.display()
    ));
    let mut all: Vec<_> = infrastructure.processes.iter_mut().collect();
    supervisor::tend_until_interrupted(&mut all, &record)?;
    infrastructure.stop();
    record.clear();
    Ok(ExitCode::SUCCESS)
}
