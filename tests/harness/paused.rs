//! Processes that are stopped for a while.

use std::process::Command;

/// A process that is stopped by SIGSTOP. It goes on when this is dropped.
#[derive(Debug)]
pub struct Paused(u32);

impl Paused {
    /// Stops a process.
    pub fn process(id: u32) -> Self {
        signal("STOP", id);
        Self(id)
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        signal("CONT", self.0);
    }
}

/// The process may have ended meanwhile.
fn signal(name: &str, process: u32) {
    let _ = Command::new("kill").args(["-s", name, &process.to_string()]).status();
}
