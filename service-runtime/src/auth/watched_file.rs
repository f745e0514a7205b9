//! Files that are reloaded when they change.

use crate::health::DependencyStatus;
use crate::tasks;
use anyhow::{Context, ensure};
use parking_lot::{Mutex, RwLock};
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::info;

/// Interval of reading the file.
const INTERVAL: Duration = Duration::from_secs(1);

/// Maximum file size.
const MAX_BYTES: u64 = access::MAX_FILE_BYTES;

/// The content of a file, as of when it was last readable and valid.
#[derive(Debug)]
pub struct WatchedFile<T> {
    /// The setting that names the file, for messages.
    setting: &'static str,
    path: PathBuf,
    parse: fn(&[u8]) -> anyhow::Result<T>,
    /// The text that `current` was parsed from; none if the file did not exist. The whole
    /// text is compared, as the file time may not change with the file.
    text: Mutex<Option<Vec<u8>>>,
    current: RwLock<Arc<T>>,
}

impl<T: Send + Sync + 'static> WatchedFile<T> {
    /// Reads a file. If it does not exist and there is a default, uses the default.
    ///
    /// # Errors
    /// The file cannot be read or is invalid.
    pub fn open(
        setting: &'static str,
        path: PathBuf,
        parse: fn(&[u8]) -> anyhow::Result<T>,
        default: Option<T>,
    ) -> anyhow::Result<Self> {
        let wrong = || format!("{setting}: {}", path.display());
        let (text, value) = match (read(&path), default) {
            (Err(error), Some(default)) if error.kind() == io::ErrorKind::NotFound => {
                info!("{setting}: {} does not exist yet", path.display());
                (None, default)
            }
            (text, _) => {
                let text = text.with_context(wrong)?;
                let value = parsed(&text, parse).with_context(wrong)?;
                (Some(text), value)
            }
        };
        let (text, current) = (Mutex::new(text), RwLock::new(Arc::new(value)));
        Ok(Self { setting, path, parse, text, current })
    }

    /// The content.
    pub fn get(&self) -> Arc<T> {
        self.current.read().clone()
    }

    /// Reads the file every second until shutdown.
    pub async fn watch(self: Arc<Self>, reporter: DependencyStatus, shutdown: CancellationToken) {
        tasks::repeat(INTERVAL, shutdown, || async {
            let (file, reporter) = (self.clone(), reporter.clone());
            // Reading a file blocks.
            let _ = tokio::task::spawn_blocking(move || file.reload(&reporter)).await;
        })
        .await;
    }

    /// Reads the file once, and replaces the content if it is new and valid.
    fn reload(&self, reporter: &DependencyStatus) {
        match self.changed() {
            Ok(changed) => {
                reporter.up();
                if changed {
                    info!("{}: reloaded", self.setting);
                }
            }
            Err(error) => reporter.down(format!("{error:#}; the previous content remains in use")),
        }
    }

    fn changed(&self) -> anyhow::Result<bool> {
        let mut known = self.text.lock();
        let text = match read(&self.path) {
            // The file has never existed and is optional.
            Err(error) if error.kind() == io::ErrorKind::NotFound && known.is_none() => {
                return Ok(false);
            }
            text => text.with_context(|| format!("cannot read {}", self.setting))?,
        };
        if known.as_ref() == Some(&text) {
            return Ok(false);
        }
        let value =
            parsed(&text, self.parse).with_context(|| format!("{} is invalid", self.setting))?;
        *self.current.write() = Arc::new(value);
        *known = Some(text);
        Ok(true)
    }
}

fn parsed<T>(text: &[u8], parse: fn(&[u8]) -> anyhow::Result<T>) -> anyhow::Result<T> {
    ensure!(text.len() as u64 <= MAX_BYTES, "more than {MAX_BYTES} bytes");
    parse(text)
}

/// Reads at most one byte more than the maximum.
fn read(path: &PathBuf) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Health;
    use std::fs;

    fn number(text: &[u8]) -> anyhow::Result<u32> {
        Ok(std::str::from_utf8(text)?.trim().parse()?)
    }

    /// A unique path.
    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("watched-{}-{name}", std::process::id()))
    }

    #[test]
    fn an_invalid_or_deleted_file_keeps_the_previous_content() {
        let (path, reporter) = (path("spoilt"), Health::default().optional("file"));
        fs::write(&path, "1").unwrap();
        let file = WatchedFile::open("FILE", path.clone(), number, None).unwrap();
        let content = |text: &str| {
            fs::write(&path, text).unwrap();
            file.reload(&reporter);
            *file.get()
        };
        assert_eq!([content("2"), content("no number"), content(""), content("3")], [2, 2, 2, 3]);
        fs::remove_file(&path).unwrap();
        file.reload(&reporter);
        assert_eq!(*file.get(), 3);
        assert_eq!(content("4"), 4);
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_missing_file_is_an_error_only_after_it_existed() {
        let path = path("absent");
        let file = WatchedFile::open("FILE", path.clone(), number, Some(0)).unwrap();
        assert!(!file.changed().unwrap());
        fs::write(&path, "1").unwrap();
        assert!(file.changed().unwrap());
        fs::remove_file(&path).unwrap();
        assert!(file.changed().is_err());
    }

    #[test]
    fn the_first_read_fails_unless_valid_or_missing_with_a_default() {
        let path = path("first");
        assert!(WatchedFile::open("FILE", path.clone(), number, None).is_err());
        let file = WatchedFile::open("FILE", path.clone(), number, Some(0)).unwrap();
        assert_eq!(*file.get(), 0);
        fs::write(&path, "no number").unwrap();
        assert!(WatchedFile::open("FILE", path.clone(), number, Some(0)).is_err());
        fs::write(&path, "1".repeat(MAX_BYTES as usize + 1)).unwrap();
        assert!(WatchedFile::open("FILE", path.clone(), |_| Ok(1), Some(0)).is_err());
        fs::remove_file(&path).unwrap();
    }
}
