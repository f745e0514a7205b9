//! A lock per instance: one run at a time.

use std::{
    fs::{self, File, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

use anyhow::{Context, Result, bail};

/// Held while an instance runs. The operating system releases the lock (flock) with the end of
/// the process, so a leftover file locks nothing.
#[derive(Debug)]
pub struct InstanceLock(#[allow(dead_code, reason = "held, never read")] File);

/// Whether an instance is running in this folder.
pub fn is_held(folder: &Path) -> bool {
    File::open(folder.join("lock"))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

impl InstanceLock {
    /// Takes the lock; fails with the holder's process id.
    pub fn acquire(folder: &Path, command: &str) -> Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let path = folder.join("lock");
        let mut file = File::options()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                bail!(
                    "`cargo stack {command}` is already running for this project (process {}): \
                     stop that one first (Ctrl-C, or `kill {}`)",
                    holder.trim(),
                    holder.trim(),
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_fails_and_names_the_first() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("stack-lock-{}", std::process::id()));
        assert!(!is_held(&folder));
        let first = InstanceLock::acquire(&folder, "up")?;
        assert!(is_held(&folder));
        let refusal = InstanceLock::acquire(&folder, "up").err().map(|error| error.to_string());
        assert!(refusal.is_some_and(|text| text.contains(&std::process::id().to_string())));
        drop(first);
        assert!(!is_held(&folder));
        InstanceLock::acquire(&folder, "up")?;
        fs::remove_dir_all(&folder)?;
        Ok(())
    }
}
