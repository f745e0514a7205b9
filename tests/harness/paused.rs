//! Suspended processes.

use std::process::Command;

/// A process suspended by SIGSTOP. It continues when this is dropped.
#[derive(Debug)]
pub struct Paused(u32);

impl Paused {
    /// Suspends a process.
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

/// Sends a signal. The process may have ended already.
fn signal(name: &str, process: u32) {
    let _ = Command::new("kill").args(["-s", name, &process.to_string()]).status();
}
