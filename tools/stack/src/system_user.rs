//! The users that servers run as.
//!
//! PostgreSQL refuses to run as root, and RabbitMQ should not. If the tool runs as root, each
//! server runs as the user that its package has created, otherwise as the current user.

use anyhow::{Context, Result};
use fs_err::os::unix::fs::chown;
use nix::unistd::{User, geteuid};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemUser {
    /// Its user id and group id; none for the current user.
    ids: Option<(u32, u32)>,
}

impl SystemUser {
    pub const CURRENT: Self = Self { ids: None };

    /// The user that a server runs as: the named one if the tool runs as root, otherwise the
    /// current user.
    pub fn for_server(name: &str) -> Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self::CURRENT);
        }
        let found = User::from_name(name).with_context(|| format!("system user `{name}`"))?;
        let user = found.with_context(|| {
            format!(
                "there is no system user `{name}`, which the server's package creates: add it, or \
                 run `cargo stack` as an ordinary user"
            )
        })?;
        Ok(Self { ids: Some((user.uid.as_raw(), user.gid.as_raw())) })
    }

    /// Makes the command run as this user and in its group alone: with the user id, the standard
    /// library drops root's supplementary groups.
    pub fn apply(self, command: &mut Command) {
        if let Some((uid, gid)) = self.ids {
            command.uid(uid).gid(gid);
        }
    }

    /// Makes this user the owner of a file or folder.
    pub fn own(self, path: &Path) -> io::Result<()> {
        self.ids.map_or(Ok(()), |(uid, gid)| chown(path, Some(uid), Some(gid)))
    }
}
