//! Reading and changing the file of API keys.

use access::KeyFile;
use anyhow::{Context, Result};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The file's mode. All users may read it: it has only hashes, and services in containers run as
/// other users.
const MODE: u32 = 0o644;

/// The file of API keys.
#[derive(Debug)]
pub struct KeyStore {
    path: PathBuf,
}

impl KeyStore {
    /// The file with this name. It need not exist.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file; no keys if it does not exist.
    pub fn read(&self) -> Result<KeyFile> {
        let context = || format!("cannot use {}", self.path.display());
        match fs::read(&self.path) {
            Ok(text) => KeyFile::parse(&text).with_context(context),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(KeyFile::default()),
            Err(error) => Err(error).with_context(context),
        }
    }

    /// Changes the file atomically. Concurrent changes wait for each other. If `change` fails,
    /// the file stays as it is.
    pub fn change(&self, change: impl FnOnce(&mut KeyFile) -> Result<()>) -> Result<()> {
        let folder = match self.path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let context = || format!("cannot write {}", self.path.display());
        DirBuilder::new().recursive(true).create(folder).with_context(context)?;
        // The folder is locked, because the file is replaced.
        let lock = File::open(folder).with_context(context)?;
        lock.lock().with_context(context)?;
        let mut file = self.read()?;
        change(&mut file)?;
        self.replace(folder, &lock, &file.to_text()?).with_context(context)
    }

    fn replace(&self, folder: &Path, lock: &File, text: &str) -> io::Result<()> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = folder.join(format!(".{name}.new"));
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(MODE)
            .open(&temporary)
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                // Independent of the umask.
                file.set_permissions(Permissions::from_mode(MODE))?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&temporary, &self.path))
            .and_then(|()| lock.sync_all());
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use access::{ApiKey, KeyRecord, Role};
    use chrono::Utc;
    use std::thread;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("keys-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    fn add(store: &KeyStore) {
        let key = ApiKey::generate().unwrap();
        let record = KeyRecord::new(&key, "till", vec![Role::Writer], Utc::now(), None).unwrap();
        store
            .change(|file| {
                file.keys.push(record);
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn concurrent_changes_are_all_kept() {
        let folder = folder("at-once");
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| add(&KeyStore::at(&folder.join("keys.json"))));
            }
        });
        let store = KeyStore::at(&folder.join("keys.json"));
        assert_eq!(store.read().unwrap().keys.len(), 16);
        assert_eq!(fs::metadata(store.path()).unwrap().permissions().mode() & 0o777, MODE);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "a temporary file is left");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn an_invalid_file_is_not_overwritten() {
        let folder = folder("invalid");
        let store = KeyStore::at(&folder.join("keys.json"));
        add(&store);
        fs::write(store.path(), "{").unwrap();
        assert!(store.change(|_| Ok(())).is_err());
        assert_eq!(fs::read_to_string(store.path()).unwrap(), "{");
        fs::remove_dir_all(&folder).unwrap();
    }
}
