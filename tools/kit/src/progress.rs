//! The progress of a step: a bar on a terminal, otherwise a line from time to time.

use crate::note;
use futures::future::{Either, select};
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt::Write;
use std::pin::pin;
use std::time::Duration;

/// Time between two lines.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Time between two updates of the bar. Drawing takes processor time from what is measured.
const DRAW_INTERVAL: Duration = Duration::from_millis(500);

/// The progress of one step.
#[derive(Debug)]
pub struct Progress {
    name: String,
    /// Has the total and the time. It is hidden if standard error is not a terminal.
    bar: ProgressBar,
    /// Not in the bar, which would be drawn with each change.
    done: Cell<u64>,
    remark: RefCell<String>,
}

impl Progress {
    /// Begins a step of `total` parts; 0 if their number is unknown.
    pub fn begin(name: &str, total: u64) -> Self {
        let (name, bar) = (name.to_owned(), bar(total));
        let progress = Self { name, bar, done: Cell::default(), remark: RefCell::default() };
        progress.bar.set_message(progress.line());
        progress
    }

    /// Counts one more part as done.
    pub fn advance(&self) {
        self.done.set(self.done.get() + 1);
    }

    /// Sets how many parts are done, and how many there are.
    pub fn set(&self, done: u64, total: u64) {
        self.bar.set_length(total);
        self.done.set(done);
    }

    /// Sets a remark, shown beside the numbers.
    pub fn remark(&self, remark: String) {
        *self.remark.borrow_mut() = remark;
    }

    /// Runs the step's work and shows its progress until it is done.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let done = match select(pin!(work), pin!(self.report())).await {
            Either::Left((done, _)) => done,
            Either::Right((never, _)) => match never {},
        };
        self.bar.finish_and_clear();
        note(&self.line());
        done
    }

    async fn report(&self) -> Infallible {
        let interval = if self.bar.is_hidden() { LINE_INTERVAL } else { DRAW_INTERVAL };
        loop {
            tokio::time::sleep(interval).await;
            if self.bar.is_hidden() {
                note(&self.line());
            } else {
                self.bar.set_position(self.done.get());
                self.bar.set_message(self.line());
            }
        }
    }

    fn line(&self) -> String {
        let (done, total) = (self.done.get(), self.bar.length().unwrap_or(0));
        line(&self.name, done, total, self.bar.elapsed(), &self.remark.borrow())
    }
}

/// A number with commas between thousands.
pub fn grouped(number: u64) -> String {
    HumanCount(number).to_string()
}

/// Runs a step of unknown length and shows its progress.
pub async fn shown<T>(name: &str, work: impl Future<Output = T>) -> T {
    Progress::begin(name, 0).during(work).await
}

fn bar(total: u64) -> ProgressBar {
    let style = match total {
        0 => ProgressStyle::default_spinner(),
        _ => ProgressStyle::with_template("{bar:24} {msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸─"),
    };
    let target = ProgressDrawTarget::stderr_with_hz(5);
    ProgressBar::with_draw_target(Some(total), target).with_style(style)
}

/// `orders: 12,000 of 30,000, 1,500/s, 12 s left`; only the time if the total is unknown.
fn line(name: &str, done: u64, total: u64, elapsed: Duration, remark: &str) -> String {
    let seconds = elapsed.as_secs_f64();
    let per_second = done as f64 / seconds.max(0.001);
    let left = total.saturating_sub(done) as f64 / per_second;
    let mut line = match total {
        0 => format!("  {name}: {seconds:.1} s"),
        _ => {
            let rate = grouped(per_second.round() as u64);
            format!("  {name}: {} of {}, {rate}/s", grouped(done), grouped(total))
        }
    };
    if total > 0 && done == total {
        let _ = write!(line, ", took {seconds:.1} s");
    } else if done > 0 {
        let _ = write!(line, ", {left:.0} s left");
    }
    if !remark.is_empty() {
        let _ = write!(line, ", {remark}");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (30_000_000, "30,000,000")]
        {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn a_line_shows_the_rate_and_the_time_left() {
        let after = Duration::from_secs;
        assert_eq!(
            line("orders", 12_000, 30_000, after(8), ""),
            "  orders: 12,000 of 30,000, 1,500/s, 12 s left"
        );
        assert_eq!(line("users", 9, 9, after(3), ""), "  users: 9 of 9, 3/s, took 3.0 s");
        assert_eq!(line("users", 0, 9, after(3), "2 failed"), "  users: 0 of 9, 0/s, 2 failed");
        assert_eq!(line("views", 0, 0, after(3), "lag 2 s"), "  views: 3.0 s, lag 2 s");
    }
}
