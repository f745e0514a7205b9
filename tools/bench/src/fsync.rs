//! The disk's flushes per second. Every commit waits for a flush, and on a shared machine their
//! rate varies most.

use anyhow::{Context, Result};
use std::fs::{File, remove_file};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

const DURATION: Duration = Duration::from_secs(1);

/// A page of PostgreSQL, written before each flush.
const PAGE: [u8; 8192] = [0x5a; 8192];

/// Flushes (`fdatasync`) per second of the same page, in a file of this folder.
pub fn rate(folder: &Path) -> Result<f64> {
    let path = folder.join("fsync-probe");
    let mut file =
        File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let begun = Instant::now();
    let mut flushes = 0_u32;
    while begun.elapsed() < DURATION {
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&PAGE)?;
        file.sync_data()?;
        flushes += 1;
    }
    let rate = f64::from(flushes) / begun.elapsed().as_secs_f64();
    remove_file(&path)?;
    Ok(rate)
}
