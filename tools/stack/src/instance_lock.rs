//! One run at a time for each instance.

use std::{
    fs::{self, File, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

use anyhow::{Context, Result, bail};

/// Held while an instance runs. The lock is the system's (flock): it ends with
/// the process, however that ends, so a file that is left over locks nothing.
#[derive(Debug)]
pub struct InstanceLock(#[allow(dead_code, reason = "held, never read")] File);

/// Whether an instance runs in that folder now.
pub fn is_held(folder: &Path) -> bool {
    File::open(folder.join("lock"))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

impl InstanceLock {
    /// Takes the lock, or says who has it.
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
    fn the_second_run_is_told_of_the_first() -> Result<()> {
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
