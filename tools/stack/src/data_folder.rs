//! The folder of an instance's data.

use crate::system_user::SystemUser;
use crate::terminal;
use anyhow::{Context, Result, bail};
use fs_err as fs;
use nix::unistd::geteuid;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Creates the folder and returns it, or one below `/var/tmp` if the servers' users cannot use
/// it, as in `/root` or on a file system without owners.
pub fn prepare(wanted: &Path, users: &[SystemUser]) -> Result<PathBuf> {
    fs::create_dir_all(wanted)?;
    if users.iter().all(|user| *user == SystemUser::CURRENT || can_use(wanted, *user)) {
        return Ok(wanted.to_owned());
    }
    let instead = substitute(wanted);
    fs::create_dir_all(&instead)?;
    let shared = instead.parent().unwrap_or(&instead);
    let owner = fs::symlink_metadata(shared)?;
    // Everyone can create folders in `/var/tmp`. Another user who owns this one could read the data.
    if owner.uid() != geteuid().as_raw() || !owner.is_dir() {
        bail!("{} belongs to another user: remove it and start again", shared.display());
    }
    terminal::note(&format!(
        "  the servers' users cannot use {}: the data is in {}",
        wanted.display(),
        instead.display()
    ));
    Ok(instead)
}

/// Whether the user can use its own folder in this one. Tried, because that depends on
/// permissions, access lists and mount options.
fn can_use(folder: &Path, user: SystemUser) -> bool {
    let trial = folder.join("trial");
    let _ = fs::remove_dir_all(&trial);
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "cd \"$1\" && chmod 700 . && : > file && rm file", "sh"])
        .arg(&trial)
        .current_dir("/");
    user.apply(&mut command);
    let works = fs::create_dir(&trial).and_then(|()| user.own(&trial)).is_ok()
        && command.output().is_ok_and(|output| output.status.success());
    let _ = fs::remove_dir_all(&trial);
    works
}

/// A folder that all users can reach and no other project uses:
/// `/var/tmp/shop-analytics-<hash of the project>/<instance>`.
fn substitute(wanted: &Path) -> PathBuf {
    let project = wanted.parent().unwrap_or(wanted);
    let instance = wanted.file_name().unwrap_or_default();
    let hash = fnv1a(project.as_os_str().as_encoded_bytes());
    Path::new("/var/tmp").join(format!("shop-analytics-{:08x}", hash >> 32)).join(instance)
}

/// FNV-1a, 64 bit. The standard library's hash may change with its version, and then the data
/// would not be found.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Creates a folder that belongs to a server's user.
pub fn create_for(path: &Path, user: SystemUser) -> Result<()> {
    fs::create_dir_all(path).with_context(|| {
        let path = path.display();
        format!(
            "cannot create {path}: if another user owns its parent, run as that user or delete it"
        )
    })?;
    Ok(user.own(path)?)
}

/// Removes a file, or a folder with its contents, if it exists.
pub fn remove_if_exists(path: &Path) -> io::Result<()> {
    match path {
        folder if folder.is_dir() => fs::remove_dir_all(folder),
        file if file.exists() => fs::remove_file(file),
        _ => Ok(()),
    }
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
