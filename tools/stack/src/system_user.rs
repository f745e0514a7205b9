//! The users that servers run as.
//!
//! PostgreSQL refuses to run as root, and RabbitMQ should not. If the tool runs as root, each
//! server runs as the user that its package has created, otherwise as the current user.

use std::{io, os::unix::process::CommandExt, path::Path, process::Command};

use anyhow::{Context, Result};
use fs_err::{self as fs, os::unix::fs::chown};
use nix::unistd::geteuid;

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
        if !running_as_root() {
            return Ok(Self::CURRENT);
        }
        find(&fs::read_to_string("/etc/passwd")?, name).with_context(|| {
            format!(
                "there is no system user `{name}`, which the server's package creates: add it, or \
                 run `cargo stack` as an ordinary user"
            )
        })
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

pub fn running_as_root() -> bool {
    geteuid().is_root()
}

/// Finds a user in the text of `/etc/passwd` (passwd(5)).
fn find(accounts: &str, name: &str) -> Option<SystemUser> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        let (uid, gid) = (fields.nth(1)?, fields.next()?);
        Some(SystemUser { ids: Some((uid.parse().ok()?, gid.parse().ok()?)) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_full_name() {
        let accounts = "root:x:0:0:root:/root:/bin/bash\n\
                        postgres2:x:7:8::/:/bin/sh\n\
                        postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash\n";
        assert_eq!(find(accounts, "postgres"), Some(SystemUser { ids: Some((101, 104)) }));
        assert_eq!(find(accounts, "rabbitmq"), None);
    }
}
