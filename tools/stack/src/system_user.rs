//! The users that servers run as.
//!
//! PostgreSQL refuses to run as root, and RabbitMQ should not. If the tool runs as root, each
//! server runs as the user that its package has created, otherwise as the current user.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::Command,
};

use anyhow::{Context, Result, anyhow};
use nix::unistd::geteuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemUser {
    uid: u32,
    gid: u32,
}

impl SystemUser {
    /// The user that a server runs as: the named one if the tool runs as root, otherwise none
    /// (the current user).
    pub fn for_server(name: &str) -> Result<Option<Self>> {
        if !running_as_root() {
            return Ok(None);
        }
        let accounts = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
        find(&accounts, name).map(Some).ok_or_else(|| {
            anyhow!(
                "there is no system user `{name}`, which the server's package creates: add it, or \
                 run `cargo stack` as an ordinary user"
            )
        })
    }

    /// Makes the command run as this user and in its group alone: with the user id, the standard
    /// library drops root's supplementary groups.
    pub fn apply(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Makes this user the owner of a file or folder.
    pub fn own(self, path: &Path) -> Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
            .with_context(|| format!("cannot give {} to user id {}", path.display(), self.uid))
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
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(SystemUser { uid, gid })
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
        assert_eq!(find(accounts, "postgres"), Some(SystemUser { uid: 101, gid: 104 }));
        assert_eq!(find(accounts, "rabbitmq"), None);
    }
}
