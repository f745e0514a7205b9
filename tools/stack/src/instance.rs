//! An instance: a run of a command that starts servers, with a folder of its own.

use crate::leftovers::Record;
use crate::project::Project;
use anyhow::{Context, Result, bail};
use fs_err::{self as fs, File};
use std::fs::TryLockError;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// A running instance. Only one at a time has its folder.
#[derive(Debug)]
pub struct Instance {
    pub project: Project,
    /// The instance's folder in the project.
    pub folder: PathBuf,
    pub record: Record,
    _lock: File,
}

impl Instance {
    /// Locks the folder of that name for `cargo stack <command>`, and stops leftovers of a killed
    /// run.
    pub fn open(name: &str, command: &str) -> Result<Self> {
        let project = Project::locate()?;
        let folder = project.private_folder().join(name);
        let lock = lock(&folder, command)?;
        let record = Record::of(&folder);
        record.stop_leftovers()?;
        Ok(Self { project, folder, record, _lock: lock })
    }
}

/// Whether an instance is running in this folder.
pub fn is_running(folder: &Path) -> bool {
    File::open(folder.join("lock"))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Takes the folder's lock; fails with the holder's process id. The operating system releases the
/// lock (flock) with the end of the process, so a leftover file locks nothing.
fn lock(folder: &Path, command: &str) -> Result<File> {
    fs::create_dir_all(folder)?;
    let path = folder.join("lock");
    let mut file =
        File::options().create(true).read(true).write(true).truncate(false).open(&path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim();
            bail!(
                "`cargo stack {command}` is already running for this project (process {holder}): \
                 stop that one first (Ctrl-C, or `kill {holder}`)"
            );
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_fails_and_names_the_first() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let folder = folder.path();
        assert!(!is_running(folder));
        let first = lock(folder, "up")?;
        assert!(is_running(folder));
        let refusal = lock(folder, "up").err().map(|error| error.to_string());
        assert!(refusal.is_some_and(|text| text.contains(&std::process::id().to_string())));
        drop(first);
        assert!(!is_running(folder));
        lock(folder, "up").map(drop)
    }
}
