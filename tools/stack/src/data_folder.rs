//! The folder that an instance's servers keep their data in.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use nix::unistd::geteuid;

use crate::{system_user::SystemUser, terminal};

/// Chooses and creates the folder: the wanted one, or one below `/var/tmp` if
/// the servers' users cannot work in it (a project in `/root`, say, or on a
/// file system without owners).
pub fn prepare(wanted: &Path, users: &[Option<SystemUser>]) -> Result<PathBuf> {
    fs::create_dir_all(wanted).with_context(|| format!("cannot create {}", wanted.display()))?;
    let users: Vec<SystemUser> = users.iter().flatten().copied().collect();
    if users.iter().all(|user| can_work_in(wanted, *user)) {
        return Ok(wanted.to_owned());
    }
    let instead = substitute(wanted);
    fs::create_dir_all(&instead).with_context(|| format!("cannot create {}", instead.display()))?;
    refuse_foreign(instead.parent().unwrap_or(&instead))?;
    terminal::note(&format!(
        "  the servers' users cannot work in {}: the data is in {}",
        wanted.display(),
        instead.display()
    ));
    Ok(instead)
}

/// Whether the user can use a folder of its own inside this one: tried, since
/// permissions, access lists and mount options all have a say.
fn can_work_in(folder: &Path, user: SystemUser) -> bool {
    let trial = folder.join("trial");
    let _ = fs::remove_dir_all(&trial);
    if fs::create_dir(&trial).is_err() || user.own(&trial).is_err() {
        let _ = fs::remove_dir_all(&trial);
        return false;
    }
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "cd \"$1\" && chmod 700 . && : > file && rm file", "sh"])
        .arg(&trial)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    user.apply(&mut command);
    let works = command.status().is_ok_and(|status| status.success());
    let _ = fs::remove_dir_all(&trial);
    works
}

/// A folder that every user reaches and that no other project has:
/// `/var/tmp/shop-analytics-<hash of the project>/<instance>`.
fn substitute(wanted: &Path) -> PathBuf {
    let project = wanted.parent().unwrap_or(wanted);
    let instance = wanted.file_name().unwrap_or_default();
    let hash = fnv1a(project.as_os_str().as_encoded_bytes());
    Path::new("/var/tmp").join(format!("shop-analytics-{:08x}", hash >> 32)).join(instance)
}

/// Anyone can create folders in `/var/tmp`: one that somebody else has made
/// under our name would let them at the data.
fn refuse_foreign(folder: &Path) -> Result<()> {
    let owner = fs::symlink_metadata(folder)
        .with_context(|| format!("cannot look at {}", folder.display()))?;
    if owner.uid() != geteuid().as_raw() || !owner.is_dir() {
        bail!("{} belongs to another user: remove it and start again", folder.display());
    }
    Ok(())
}

/// FNV-1a, 64 bit: the standard library's hash may change with its version,
/// and the data must be found again.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Creates a folder for one server, which belongs to its user alone.
pub fn create_for(path: &Path, user: Option<SystemUser>) -> Result<()> {
    fs::create_dir_all(path).with_context(|| {
        format!(
            "cannot create {}: if an earlier run as another user made the folder above it, \
             run as that user again or delete it",
            path.display()
        )
    })?;
    user.map_or(Ok(()), |user| user.own(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_substitute_is_the_same_at_every_start_and_differs_by_project() {
        let one = substitute(Path::new("/srv/shop/.stack/up"));
        assert_eq!(one, substitute(Path::new("/srv/shop/.stack/up")));
        assert_ne!(one.parent(), substitute(Path::new("/srv/other/.stack/up")).parent());
        assert_eq!(one.file_name(), Path::new("up").file_name());
    }

    #[test]
    fn the_hash_is_fnv1a() {
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
