//! The process groups of all programs that run, to kill them at once.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

static GROUPS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

pub fn register(group: i32) {
    groups().insert(group);
}

/// Removes a process group and returns whether it was there.
pub fn forget(group: i32) -> bool {
    groups().remove(&group)
}

/// Kills everything that runs. The processes of a PostgreSQL server have left its group, but
/// end by themselves when the server is gone.
pub fn kill_all() {
    for group in groups().iter() {
        let _ = killpg(Pid::from_raw(*group), Signal::SIGKILL);
    }
}

fn groups() -> MutexGuard<'static, BTreeSet<i32>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}
