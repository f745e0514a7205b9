//! Where the project and its private folder are.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

/// The project that the tool works for.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder with the workspace's `Cargo.toml`.
    pub root: PathBuf,
}

impl Project {
    /// The workspace that this tool belongs to, wherever it is called from.
    pub fn locate() -> Result<Self> {
        // Set by `cargo run`; the other one is for a binary called by hand.
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package.ancestors().nth(2).unwrap_or(Path::new("/"));
        let root = root
            .canonicalize()
            .with_context(|| format!("the project folder {} is not there", root.display()))?;
        Ok(Self { root })
    }

    /// The folder of what the tool keeps: git-ignored, safe to delete while
    /// nothing runs.
    pub fn private_folder(&self) -> PathBuf {
        self.root.join(".stack")
    }

    /// `cargo`, to be run in the project's root. What `cargo run` has told this
    /// tool about its own package is taken away, or the inner cargo would see
    /// another environment than the user's and compile things again.
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
