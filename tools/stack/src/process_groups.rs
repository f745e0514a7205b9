//! Programs that run in process groups of their own, each with everything that it starts.
//!
//! So a Ctrl-C in the terminal reaches only this tool, which then stops the programs in the
//! right order. The ids of all groups are kept, to kill them at once.

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{io, thread};

/// Time between two checks whether a program has ended.
const POLL: Duration = Duration::from_millis(50);

/// How long a program may take to end after a signal.
const GRACE: Duration = Duration::from_secs(10);

static GROUPS: Mutex<BTreeSet<Pid>> = Mutex::new(BTreeSet::new());

/// A program in a process group of its own.
#[derive(Debug)]
pub struct ProcessGroup {
    child: Child,
    id: Pid,
}

impl ProcessGroup {
    /// Starts the program. It reads nothing from the terminal.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        let child = command.stdin(Stdio::null()).process_group(0).spawn()?;
        let id = Pid::from_raw(child.id().cast_signed());
        GROUPS.lock().insert(id);
        Ok(Self { child, id })
    }

    /// The program's process id, which is also the id of its group.
    pub const fn id(&self) -> Pid {
        self.id
    }

    /// The program's output, if it is piped.
    pub fn output(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// The program's exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for the program's end. When `is_unwanted` becomes true, everything in the group
    /// gets the signal, and SIGKILL after [`GRACE`]. It is also killed if waiting fails.
    pub fn wait(
        &mut self,
        is_unwanted: impl Fn() -> bool,
        signal: Signal,
    ) -> io::Result<ExitStatus> {
        let mut signalled: Option<Instant> = None;
        loop {
            if let Some(status) = self.child.try_wait().inspect_err(|_| self.kill())? {
                return Ok(status);
            }
            match signalled {
                None if is_unwanted() => {
                    signalled = Some(Instant::now());
                    let _ = killpg(self.id, signal);
                }
                Some(since) if since.elapsed() > GRACE => {
                    let _ = killpg(self.id, Signal::SIGKILL);
                }
                _ => {}
            }
            thread::sleep(POLL);
        }
    }

    /// Requests the program's end by the signal, waits for the grace period, then kills it.
    /// Returns whether it ended by itself.
    pub fn stop(&mut self, signal: Signal, grace: Duration) -> bool {
        let deadline = Instant::now() + grace;
        if self.ended().is_none() {
            let _ = kill(self.id, signal);
        }
        while self.ended().is_none() && Instant::now() < deadline {
            thread::sleep(POLL);
        }
        let ended = self.ended().is_some();
        self.kill();
        let _ = self.child.wait();
        ended
    }

    /// Kills, once, everything in the group. What a program leaves behind there can prevent its
    /// next start: the workers of a killed nginx keep its port.
    pub fn kill(&self) {
        if GROUPS.lock().remove(&self.id) {
            let _ = killpg(self.id, Signal::SIGKILL);
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        GROUPS.lock().remove(&self.id);
    }
}

/// Kills everything that runs. The processes of a PostgreSQL server have left its group, but
/// end by themselves when the server is gone.
pub fn kill_all() {
    for group in GROUPS.lock().iter() {
        let _ = killpg(*group, Signal::SIGKILL);
    }
}
