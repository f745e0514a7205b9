//! Reading and changing the file of API keys.

use access::KeyFile;
use anyhow::{Context, Result};
use fs_err::{self as fs, File};
use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The file's mode. All users may read it: it has only hashes, and services in containers run as
/// other users.
const MODE: u32 = 0o644;

/// Reads the file; no keys if it does not exist.
pub fn read(path: &Path) -> Result<KeyFile> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(KeyFile::default()),
        text => KeyFile::parse(&text?).with_context(|| format!("cannot use {}", path.display())),
    }
}

/// Changes the file atomically. Concurrent changes wait for each other. If `change` fails, the
/// file stays as it is.
pub fn change(path: &Path, change: impl FnOnce(&mut KeyFile) -> Result<()>) -> Result<()> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    // The folder is locked, because the file is replaced. So one name suffices for the new file,
    // and one that was left by a killed program is replaced.
    let lock = File::open(folder)?;
    lock.lock()?;
    let mut keys = read(path)?;
    change(&mut keys)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = folder.join(format!(".{name}.new"));
    let mut file = File::create(&new)?;
    file.write_all(keys.to_text()?.as_bytes())?;
    // Independent of the umask.
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    Ok(lock.sync_all()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use access::{ApiKey, KeyRecord, Role};
    use chrono::Utc;
    use std::thread;

    fn add(path: &Path) {
        let key = ApiKey::generate().unwrap();
        let record = KeyRecord::new(&key, "till", vec![Role::Writer], Utc::now(), None).unwrap();
        let added = change(path, |file| {
            file.keys.push(record);
            Ok(())
        });
        added.unwrap();
    }

    #[test]
    fn concurrent_changes_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| add(&path));
            }
        });
        assert_eq!(read(&path).unwrap().keys.len(), 16);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file is left");
    }

    #[test]
    fn an_invalid_file_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        add(&path);
        fs::write(&path, "{").unwrap();
        assert!(change(&path, |_| Ok(())).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "{");
    }
}
