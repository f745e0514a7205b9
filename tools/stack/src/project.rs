//! The project's folders.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

#[derive(Debug, Clone)]
pub struct Project {
    /// The folder with the workspace's `Cargo.toml`.
    pub root: PathBuf,
}

impl Project {
    /// The workspace of this tool, independent of the current folder.
    pub fn locate() -> Result<Self> {
        // Set by `cargo run`. The other one is for a binary that is run directly.
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package
            .ancestors()
            .find(|folder| folder.join("Cargo.lock").exists())
            .unwrap_or(Path::new("/"));
        let root = root
            .canonicalize()
            .with_context(|| format!("the project folder {} does not exist", root.display()))?;
        Ok(Self { root })
    }

    /// The folder of the tool's files: ignored by git, and safe to delete while nothing runs.
    pub fn private_folder(&self) -> PathBuf {
        self.root.join(".stack")
    }

    /// `cargo` in the project's root. The variables that `cargo run` has set for this tool are
    /// removed: with another environment than the user's, cargo would compile crates again.
    pub fn cargo(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root);
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_")
                || text.starts_with("CARGO_MANIFEST_")
                || text.starts_with("CARGO_BIN_")
                || text == "CARGO_PRIMARY_PACKAGE"
            {
                command.env_remove(&name);
            }
        }
        command
    }
}
