//! Everything that is written to the terminal.
//!
//! Steps and errors go to standard error, results and the services' logs to
//! standard output. Nothing here panics when the reader has gone away
//! (`cargo stack up | head`), unlike `println!`.

use std::{
    io::{IsTerminal, Write, stderr, stdout},
    sync::{
        LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::interrupt::{self, Interrupted};

/// How often the line about the running steps is written: redrawn on a
/// terminal, a line of its own in a file.
const REDRAW: Duration = Duration::from_millis(250);
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A colour from the terminal's palette, by its SGR number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub u8);

/// Good news.
pub const GREEN: Colour = Colour(32);
/// Bad news.
pub const RED: Colour = Colour(31);
/// Remarks.
pub const GREY: Colour = Colour(90);

#[derive(Debug)]
struct RunningStep {
    id: u64,
    name: String,
    detail: String,
    since: Instant,
}

/// The steps under way; also the lock that keeps lines whole.
static RUNNING: Mutex<Vec<RunningStep>> = Mutex::new(Vec::new());
static NEXT_ID: AtomicU64 = AtomicU64::new(0);
static COLOURED: LazyLock<bool> = LazyLock::new(|| {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && stdout().is_terminal()
});
static LIVE: LazyLock<bool> = LazyLock::new(|| stderr().is_terminal());

fn running() -> MutexGuard<'static, Vec<RunningStep>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The text in that colour, or as it is where colours are not wanted.
pub fn paint(colour: Colour, text: &str) -> String {
    if *COLOURED { format!("\x1b[{}m{text}\x1b[0m", colour.0) } else { text.to_owned() }
}

/// One line of a result or of a log, to standard output.
pub fn print(line: &str) {
    let guard = running();
    erase_live_line(&guard);
    let _ = writeln!(stdout(), "{line}");
}

/// One remark, to standard error.
pub fn note(line: &str) {
    let guard = running();
    erase_live_line(&guard);
    let _ = writeln!(stderr(), "{line}");
}

/// The error that ends the run, with its causes.
pub fn complain(error: &anyhow::Error) {
    // What fails while everything is being stopped fails because of that.
    if interrupt::requested() {
        note(&Interrupted.to_string());
        return;
    }
    note(&format!("{} {error}", paint(RED, "error:")));
    for cause in error.chain().skip(1) {
        note(&format!("  because: {cause}"));
    }
}

fn erase_live_line(_lines_are_whole: &MutexGuard<'_, Vec<RunningStep>>) {
    if *LIVE {
        let _ = write!(stderr(), "\r\x1b[2K");
    }
}

/// A step of the start: named when it begins, timed when it ends.
#[derive(Debug)]
pub struct Step {
    id: u64,
    name: String,
    since: Instant,
    finished: bool,
}

impl Step {
    /// Announces a step.
    pub fn begin(name: &str) -> Self {
        start_reporting();
        note(&format!("  {} {name}", paint(GREY, "…")));
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let since = Instant::now();
        running().push(RunningStep { id, name: name.to_owned(), detail: String::new(), since });
        Self { id, name: name.to_owned(), since, finished: false }
    }

    /// Says what the step is busy with.
    pub fn detail(&self, detail: &str) {
        if let Some(step) = running().iter_mut().find(|step| step.id == self.id) {
            detail.clone_into(&mut step.detail);
        }
    }

    /// Ends the step well.
    pub fn done(mut self, remark: &str) {
        self.finished = true;
        self.leave(&paint(GREEN, "✓"), remark);
    }

    fn leave(&self, mark: &str, remark: &str) {
        running().retain(|step| step.id != self.id);
        let remark = if remark.is_empty() { String::new() } else { format!(": {remark}") };
        note(&format!(
            "  {mark} {}{remark} {}",
            self.name,
            paint(GREY, &format!("({})", duration(self.since.elapsed()))),
        ));
    }
}

impl Drop for Step {
    /// A step that is dropped was given up by an error.
    fn drop(&mut self) {
        if !self.finished {
            self.leave(&paint(RED, "✗"), "");
        }
    }
}

/// `3.4 s`, `2 min 05 s`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

/// Starts, once, the thread that tells what is going on.
fn start_reporting() {
    static STARTED: LazyLock<()> = LazyLock::new(|| {
        thread::spawn(|| {
            loop {
                thread::sleep(if *LIVE { REDRAW } else { HEARTBEAT });
                report();
            }
        });
    });
    LazyLock::force(&STARTED);
}

fn report() {
    let steps = running();
    let line = steps
        .iter()
        .map(|step| {
            let elapsed = step.since.elapsed().as_secs();
            match step.detail.as_str() {
                "" => format!("{} {elapsed} s", step.name),
                detail => format!("{} {elapsed} s ({detail})", step.name),
            }
        })
        .collect::<Vec<_>>()
        .join(" | ");
    if line.is_empty() {
        return;
    }
    if *LIVE {
        let short: String = line.chars().take(columns().saturating_sub(3)).collect();
        let _ = write!(stderr(), "\r\x1b[2K  {short}");
    } else {
        let _ = writeln!(stderr(), "    {line}");
    }
}

/// The width of the terminal as far as the environment tells; a line that
/// wraps could not be redrawn.
fn columns() -> usize {
    std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(79)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short_to_read() {
        assert_eq!(duration(Duration::from_millis(3440)), "3.4 s");
        assert_eq!(duration(Duration::from_secs(125)), "2 min 05 s");
    }
}
