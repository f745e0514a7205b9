//! An instance: a run of a command that starts servers, with a folder of its own.

use std::path::PathBuf;

use anyhow::Result;

use crate::{instance_lock::InstanceLock, leftovers::Record, project::Project};

/// A running instance. Only one at a time has its folder.
#[derive(Debug)]
pub struct Instance {
    pub project: Project,
    /// The instance's folder in the project.
    pub folder: PathBuf,
    pub record: Record,
    _lock: InstanceLock,
}

impl Instance {
    /// Locks the folder of that name for `cargo stack <command>`, and stops leftovers of a killed
    /// run.
    pub fn open(name: &str, command: &str) -> Result<Self> {
        let project = Project::locate()?;
        let folder = project.private_folder().join(name);
        let lock = InstanceLock::acquire(&folder, command)?;
        let record = Record::of(&folder);
        record.stop_leftovers()?;
        Ok(Self { project, folder, record, _lock: lock })
    }
}
