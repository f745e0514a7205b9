//! Applies the project's migrations without a service.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::postgres::Cluster;

/// Applies all `.sql` files of the folder to the database in the order of their names, each in
/// its own transaction. Returns their number.
pub fn apply(cluster: &Cluster, database: &str, folder: &Path) -> Result<usize> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    if files.is_empty() {
        bail!("there are no migrations in {}", folder.display());
    }
    for file in &files {
        cluster.run_file(database, file)?;
    }
    Ok(files.len())
}
