//! Output to the terminal.
//!
//! Steps and errors go to standard error, results and the services' logs to standard output.
//! A closed pipe (`cargo stack up | head`) is ignored, unlike by `println!`.

use parking_lot::{Mutex, MutexGuard};
use std::io::{IsTerminal, Write, stderr, stdout};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Time between two lines about the running steps: a terminal's line is redrawn, a file gets
/// a new one.
const REDRAW: Duration = Duration::from_millis(250);
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A colour from the terminal's palette, by its SGR number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub u8);

/// Success.
pub const GREEN: Colour = Colour(32);
/// Failure.
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

/// The running steps. Its lock also keeps lines from being mixed.
static RUNNING: Mutex<Vec<RunningStep>> = Mutex::new(Vec::new());
static NEXT_ID: AtomicU64 = AtomicU64::new(0);
static COLOURED: LazyLock<bool> = LazyLock::new(|| {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && stdout().is_terminal()
});
static LIVE: LazyLock<bool> = LazyLock::new(|| stderr().is_terminal());

/// The text in that colour, or unchanged without colours.
pub fn paint(colour: Colour, text: &str) -> String {
    if *COLOURED { format!("\x1b[{}m{text}\x1b[0m", colour.0) } else { text.to_owned() }
}

/// Prints a line of a result or of a log to standard output.
pub fn print(line: &str) {
    let guard = RUNNING.lock();
    erase_live_line(&guard);
    let _ = writeln!(stdout(), "{line}");
}

/// Prints a remark to standard error.
pub fn note(line: &str) {
    let guard = RUNNING.lock();
    erase_live_line(&guard);
    let _ = writeln!(stderr(), "{line}");
}

/// Prints the error that ends the run, with its causes.
pub fn print_error(error: &anyhow::Error) {
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

/// A step, printed when it begins, and with its duration when it ends.
#[derive(Debug)]
pub struct Step {
    id: u64,
}

impl Step {
    pub fn begin(name: &str) -> Self {
        start_reporting();
        note(&format!("  {} {name}", paint(GREY, "…")));
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let (name, since) = (name.to_owned(), Instant::now());
        RUNNING.lock().push(RunningStep { id, name, detail: String::new(), since });
        Self { id }
    }

    /// Sets what the step is doing.
    pub fn detail(&self, detail: &str) {
        if let Some(step) = RUNNING.lock().iter_mut().find(|step| step.id == self.id) {
            detail.clone_into(&mut step.detail);
        }
    }

    /// Ends the step as a success.
    pub fn done(self, remark: &str) {
        self.end(&paint(GREEN, "✓"), remark);
    }

    /// Prints the end of the step, once.
    fn end(&self, mark: &str, remark: &str) {
        let step = RUNNING.lock().extract_if(.., |step| step.id == self.id).next();
        if let Some(RunningStep { name, since, .. }) = step {
            let remark = if remark.is_empty() { String::new() } else { format!(": {remark}") };
            let took = paint(GREY, &format!("({})", duration(since.elapsed())));
            note(&format!("  {mark} {name}{remark} {took}"));
        }
    }
}

impl Drop for Step {
    /// A step that is dropped before it is done has failed.
    fn drop(&mut self) {
        self.end(&paint(RED, "✗"), "");
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

/// Starts the thread that prints the running steps, once.
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
    let steps = RUNNING.lock();
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

/// The width of the terminal by the environment, or 79: a wrapped line could not be redrawn.
fn columns() -> usize {
    std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(79)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_in_seconds_or_minutes() {
        assert_eq!(duration(Duration::from_millis(3440)), "3.4 s");
        assert_eq!(duration(Duration::from_secs(125)), "2 min 05 s");
    }
}
