//! Credentials for services with `AUTH=on`.

use access::{ApiKey, KeyFile, KeyRecord, Role};
use chrono::{DateTime, TimeDelta, Utc};
use std::fs;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// A temporary folder with a file of API keys. It is deleted when dropped.
#[derive(Debug)]
pub struct Keys {
    folder: PathBuf,
    file: KeyFile,
}

impl Keys {
    /// An empty folder.
    pub fn empty() -> Self {
        let folder = std::env::temp_dir().join(format!("keys-{}", Uuid::now_v7()));
        fs::create_dir(&folder).unwrap();
        Self { folder, file: KeyFile::default() }
    }

    /// The folder, for further files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of the key file. The first added key creates it.
    pub fn path(&self) -> PathBuf {
        self.folder.join("api-keys.json")
    }

    /// The path as the setting `API_KEYS_FILE`.
    pub fn setting(&self) -> String {
        self.path().to_str().unwrap().to_owned()
    }

    /// Adds a key with these roles and returns it.
    pub fn add(&mut self, roles: &[Role]) -> String {
        self.add_changed(roles, |_| {})
    }

    /// Adds a key that expired a second ago.
    pub fn add_expired(&mut self, roles: &[Role]) -> String {
        self.add_changed(roles, |key| key.expires = Some(a_second_ago()))
    }

    /// Adds a revoked key.
    pub fn add_revoked(&mut self, roles: &[Role]) -> String {
        self.add_changed(roles, |key| key.revoked = Some(a_second_ago()))
    }

    fn add_changed(&mut self, roles: &[Role], change: impl FnOnce(&mut KeyRecord)) -> String {
        let key = ApiKey::generate().unwrap();
        let mut record = KeyRecord::new(&key, "test", roles.to_vec(), Utc::now(), None).unwrap();
        change(&mut record);
        self.file.keys.push(record);
        fs::write(self.path(), self.file.to_text().unwrap()).unwrap();
        key.reveal().to_owned()
    }
}

fn a_second_ago() -> DateTime<Utc> {
    Utc::now() - TimeDelta::seconds(1)
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
