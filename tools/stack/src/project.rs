//! The project's folders.

use crate::process::remove_variables;
use anyhow::Result;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

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
        let folder = package.ancestors().find(|folder| folder.join("Cargo.lock").exists());
        let root = fs_err::canonicalize(folder.unwrap_or(Path::new("/")))?;
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
        let of_cargo_run = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_PRIMARY_PACKAGE"];
        remove_variables(&mut command, &of_cargo_run);
        command
    }
}
