//! Files that are read again when they have changed.

use crate::health::Reporter;
use anyhow::{Context, ensure};
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::info;

/// How often a file is read.
const INTERVAL: Duration = Duration::from_secs(1);

/// Largest file.
const MAX_BYTES: u64 = access::MAX_FILE_BYTES;

/// What a file says, or said when it was last readable and right.
#[derive(Debug)]
pub struct Watched<T> {
    /// The setting that names the file; operators know it by that.
    setting: &'static str,
    path: PathBuf,
    parse: fn(&[u8]) -> anyhow::Result<T>,
    /// The text that `current` was read from; none if there was no file. As its times
    /// may stay the same when a file changes, the whole is compared.
    text: Mutex<Option<Vec<u8>>>,
    current: RwLock<Arc<T>>,
}

impl<T: Send + Sync + 'static> Watched<T> {
    /// Reads a file for the first time. If there is none yet, and something stands in
    /// for it, that is what it says.
    ///
    /// # Errors
    /// If it cannot be read, or says nothing that can be used.
    pub fn open(
        setting: &'static str,
        path: PathBuf,
        parse: fn(&[u8]) -> anyhow::Result<T>,
        stand_in: Option<T>,
    ) -> anyhow::Result<Self> {
        let wrong = || format!("{setting}: {}", path.display());
        let (text, value) = match (read(&path), stand_in) {
            (Err(error), Some(stand_in)) if error.kind() == io::ErrorKind::NotFound => {
                info!("{setting}: there is no {} yet", path.display());
                (None, stand_in)
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

    /// What the file says.
    pub fn get(&self) -> Arc<T> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the file every second until shutdown.
    pub async fn watch(self: Arc<Self>, reporter: Reporter, shutdown: CancellationToken) {
        loop {
            let (file, told) = (self.clone(), reporter.clone());
            // Files are read in a thread where one may wait.
            let _ = tokio::task::spawn_blocking(move || file.look(&told)).await;
            if shutdown.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_none() {
                return;
            }
        }
    }

    /// Reads the file once, and takes over what it says if that is new and right.
    fn look(&self, reporter: &Reporter) {
        match self.changed() {
            Ok(changed) => {
                reporter.up();
                if changed {
                    info!("{}: read again", self.setting);
                }
            }
            Err(error) => reporter.down(format!("{error:#}; what it said before still holds")),
        }
    }

    fn changed(&self) -> anyhow::Result<bool> {
        let mut known = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        let text = match read(&self.path) {
            // It has not been made yet, and need not be.
            Err(error) if error.kind() == io::ErrorKind::NotFound && known.is_none() => {
                return Ok(false);
            }
            text => text.with_context(|| format!("cannot read {}", self.setting))?,
        };
        if known.as_ref() == Some(&text) {
            return Ok(false);
        }
        let value =
            parsed(&text, self.parse).with_context(|| format!("{} is bad", self.setting))?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
        *known = Some(text);
        Ok(true)
    }
}

fn parsed<T>(text: &[u8], parse: fn(&[u8]) -> anyhow::Result<T>) -> anyhow::Result<T> {
    ensure!(text.len() as u64 <= MAX_BYTES, "it has more than {MAX_BYTES} bytes");
    parse(text)
}

/// At most one byte more than there may be.
fn read(path: &PathBuf) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{Health, Need};
    use std::fs;

    fn number(text: &[u8]) -> anyhow::Result<u32> {
        Ok(std::str::from_utf8(text)?.trim().parse()?)
    }

    /// A path that nobody else uses.
    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("watched-{}-{name}", std::process::id()))
    }

    #[test]
    fn a_file_that_is_spoilt_or_gone_leaves_what_it_said() {
        let (path, reporter) = (path("spoilt"), Health::default().part("file", Need::Useful));
        fs::write(&path, "1").unwrap();
        let file = Watched::open("FILE", path.clone(), number, None).unwrap();
        let says = |text: &str| {
            fs::write(&path, text).unwrap();
            file.look(&reporter);
            *file.get()
        };
        assert_eq!([says("2"), says("no number"), says(""), says("3")], [2, 2, 2, 3]);
        fs::remove_file(&path).unwrap();
        file.look(&reporter);
        assert_eq!(*file.get(), 3);
        assert_eq!(says("4"), 4);
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn one_that_need_not_be_there_is_no_fault_until_it_was() {
        let path = path("absent");
        let file = Watched::open("FILE", path.clone(), number, Some(0)).unwrap();
        assert!(!file.changed().unwrap());
        fs::write(&path, "1").unwrap();
        assert!(file.changed().unwrap());
        fs::remove_file(&path).unwrap();
        assert!(file.changed().is_err());
    }

    #[test]
    fn at_first_it_must_be_right_or_absent_if_that_means_something() {
        let path = path("first");
        assert!(Watched::open("FILE", path.clone(), number, None).is_err());
        let file = Watched::open("FILE", path.clone(), number, Some(0)).unwrap();
        assert_eq!(*file.get(), 0);
        fs::write(&path, "no number").unwrap();
        assert!(Watched::open("FILE", path.clone(), number, Some(0)).is_err());
        fs::write(&path, "1".repeat(MAX_BYTES as usize + 1)).unwrap();
        assert!(Watched::open("FILE", path.clone(), |_| Ok(1), Some(0)).is_err());
        fs::remove_file(&path).unwrap();
    }
}
