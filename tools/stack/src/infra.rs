//! `cargo stack infra`: starts only the databases and the broker.

use crate::cli::InfraArgs;
use crate::data_folder::remove_if_exists;
use crate::infrastructure::{Infrastructure, MAX_CONNECTIONS_OF_TESTS, Plan};
use crate::instance::{self, Instance};
use crate::ports::Ports;
use crate::project::Project;
use crate::supervisor::{self, Supervised};
use crate::terminal;
use anyhow::Result;
use fs_err as fs;
use std::path::Path;
use std::process::ExitCode;

const FOLDER: &str = "infra";
/// The file in it with the servers' addresses, while they run.
const ADDRESSES: &str = "addresses.env";

/// Starts the servers, prints their addresses as shell exports, and runs until a stop is
/// requested.
pub fn run(args: &InfraArgs) -> Result<ExitCode> {
    // Throw-away servers have a folder per name.
    let name = args.throw_away.as_ref();
    let folder = name.map_or(FOLDER.to_owned(), |name| format!("throw-away-{name}"));
    let instance = Instance::open(&folder, "infra")?;
    let ports = match name {
        Some(_) => Ports::free_for_infrastructure()?,
        None => Ports::with_offset(Ports::INFRASTRUCTURE, args.instance.port_offset)?,
    };
    if name.is_none() {
        ports.check_free()?;
    }
    let record = &instance.record;
    let plan = Plan {
        instance: &instance,
        ports: &ports,
        max_connections: MAX_CONNECTIONS_OF_TESTS,
        throw_away: args.throw_away.is_some(),
    };
    let addresses = instance.folder.join(ADDRESSES);
    remove_if_exists(&addresses)?;
    let mut infrastructure = Infrastructure::start(&plan)?;
    // The servers' addresses, and the file that lists their processes.
    for (name, value) in infrastructure.environment() {
        terminal::print(&format!("export {name}='{value}'"));
    }
    terminal::print(&format!("export STACK_PROCESSES='{}'", record.path().display()));
    write_addresses(&addresses, &infrastructure)?;
    terminal::note(&format!(
        "Logs and data are in {}; Ctrl-C stops.",
        infrastructure.folder.display()
    ));
    if plan.throw_away {
        infrastructure.processes.iter_mut().for_each(Supervised::expect_deaths);
    }
    let mut all: Vec<_> = infrastructure.processes.iter_mut().collect();
    supervisor::supervise_until_interrupted(&mut all, record)?;
    remove_if_exists(&addresses)?;
    infrastructure.stop();
    record.clear();
    Ok(ExitCode::SUCCESS)
}

/// The addresses of the servers of a running `cargo stack infra` of this project, without
/// `--throw-away`, as environment variables.
pub fn running(project: &Project) -> Option<Vec<(String, String)>> {
    let folder = project.private_folder().join(FOLDER);
    if !instance::is_running(&folder) {
        return None;
    }
    let text = fs::read_to_string(folder.join(ADDRESSES)).ok()?;
    let variables = text.lines().filter_map(|line| line.split_once('='));
    Some(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// Lets [`running`] find the servers.
fn write_addresses(path: &Path, infrastructure: &Infrastructure) -> Result<()> {
    let variables = infrastructure.environment().into_iter();
    let lines: String = variables.map(|(name, value)| format!("{name}={value}\n")).collect();
    // Renamed when complete, so that it is never read in part.
    let unfinished = path.with_extension("unfinished");
    fs::write(&unfinished, lines)?;
    Ok(fs::rename(&unfinished, path)?)
}
