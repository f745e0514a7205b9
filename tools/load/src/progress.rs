//! How far a phase has come: a bar on a terminal, else a line now and then.

use crate::outcome::Outcome;
use crate::output;
use crate::report::grouped;
use anyhow::Context;
use futures::future::{Either, select};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt::Write;
use std::io::{IsTerminal, stderr};
use std::pin::pin;
use std::time::{Duration, Instant};

/// Between two lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Between two looks of the bar.
const DRAW_EVERY: Duration = Duration::from_millis(250);

/// Redraws of the bar per second, at most: drawing takes processor time.
const DRAWS_PER_SECOND: u8 = 5;

/// The progress of one phase.
#[derive(Debug)]
pub struct Progress {
    name: &'static str,
    /// None if nobody would see it.
    bar: Option<ProgressBar>,
    begun: Instant,
    total: Cell<u64>,
    done: Cell<u64>,
    failed: Cell<u64>,
    unknown: Cell<u64>,
    remark: RefCell<String>,
}

impl Progress {
    /// Begins a phase of so many steps.
    ///
    /// # Errors
    /// Never: the bar's template is valid.
    pub fn begin(name: &'static str, total: u64) -> anyhow::Result<Self> {
        let bar = if stderr().is_terminal() { Some(bar(name, total)?) } else { None };
        Ok(Self {
            name,
            bar,
            begun: Instant::now(),
            total: Cell::new(total),
            done: Cell::default(),
            failed: Cell::default(),
            unknown: Cell::default(),
            remark: RefCell::default(),
        })
    }

    /// One step is done.
    pub fn advance(&self, outcome: &Outcome) {
        let of_its_kind = match outcome {
            Outcome::Accepted => None,
            Outcome::Failed(_) => Some(&self.failed),
            Outcome::Unknown(_) => Some(&self.unknown),
        };
        if let Some(count) = of_its_kind {
            count.set(count.get() + 1);
            self.remark(not_accepted(self.failed.get(), self.unknown.get()));
        }
        self.done.set(self.done.get() + 1);
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// So much is done of so much.
    pub fn set(&self, done: u64, total: u64) {
        self.done.set(done);
        self.total.set(total);
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
        }
    }

    /// Says something beside the numbers.
    pub fn remark(&self, remark: String) {
        if let Some(bar) = &self.bar {
            bar.set_message(remark.clone());
        }
        *self.remark.borrow_mut() = remark;
    }

    /// Does the phase's work, and shows its progress until it is done.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let done = match select(pin!(work), pin!(self.keep_telling())).await {
            Either::Left((done, _)) => done,
            Either::Right((never, _)) => match never {},
        };
        match &self.bar {
            Some(bar) => bar.abandon(),
            None => output::note(&self.line()),
        }
        done
    }

    /// Shows that time passes, too.
    async fn keep_telling(&self) -> Infallible {
        let every = if self.bar.is_some() { DRAW_EVERY } else { LINE_EVERY };
        loop {
            tokio::time::sleep(every).await;
            match &self.bar {
                Some(bar) => bar.tick(),
                None => output::note(&self.line()),
            }
        }
    }

    fn line(&self) -> String {
        let (done, total) = (self.done.get(), self.total.get());
        line(self.name, done, total, self.begun.elapsed(), &self.remark.borrow())
    }
}

fn bar(name: &'static str, total: u64) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{prefix:25} {bar:24} {amount} {rate} {time} {msg}")
        .context("progress bar")?
        .progress_chars("━╸─")
        .with_key("amount", |state: &ProgressState, text: &mut dyn Write| {
            let (done, total) = (state.pos(), state.len().unwrap_or(0));
            let _ = match total {
                0 => write!(text, "{:19}", ""),
                _ => write!(text, "{:>9}/{:<9}", grouped(done), grouped(total)),
            };
        })
        .with_key("rate", |state: &ProgressState, text: &mut dyn Write| {
            let _ = match state.len().unwrap_or(0) {
                0 => write!(text, "{:9}", ""),
                _ => write!(text, "{:>7}/s", grouped(state.per_sec() as u64)),
            };
        })
        .with_key("time", |state: &ProgressState, text: &mut dyn Write| {
            let _ = match state.eta() {
                _ if state.is_finished() || state.len() == Some(state.pos()) => {
                    write!(text, "{:>5} s", state.elapsed().as_secs())
                }
                left => write!(text, "{:>5} s left", left.as_secs()),
            };
        });
    let target = ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND);
    let bar = ProgressBar::with_draw_target(Some(total), target).with_style(style);
    bar.set_prefix(name);
    bar.tick();
    Ok(bar)
}

/// `orders: 12,000 of 30,000, 1,500/s, 12 s left`; without a known total only
/// the time.
fn line(name: &str, done: u64, total: u64, elapsed: Duration, remark: &str) -> String {
    if total == 0 {
        return format!("{name}: {:.1} s, {remark}", elapsed.as_secs_f64());
    }
    let per_second = done as f64 / elapsed.as_secs_f64().max(0.001);
    let mut line = format!(
        "{name}: {} of {}, {}/s",
        grouped(done),
        grouped(total),
        grouped(per_second.round() as u64)
    );
    let left = (total.saturating_sub(done)) as f64 / per_second;
    if done == total {
        let _ = write!(line, ", took {:.1} s", elapsed.as_secs_f64());
    } else if left.is_finite() {
        let _ = write!(line, ", {left:.0} s left");
    }
    if !remark.is_empty() {
        let _ = write!(line, ", {remark}");
    }
    line
}

fn not_accepted(failed: u64, unknown: u64) -> String {
    match (failed, unknown) {
        (failed, 0) => format!("{} failed", grouped(failed)),
        (0, unknown) => format!("{} unknown", grouped(unknown)),
        (failed, unknown) => format!("{} failed, {} unknown", grouped(failed), grouped(unknown)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_rate_and_time_left() {
        let after = Duration::from_secs;
        assert_eq!(
            line("orders", 12_000, 30_000, after(8), ""),
            "orders: 12,000 of 30,000, 1,500/s, 12 s left"
        );
        assert_eq!(line("users", 9, 9, after(3), ""), "users: 9 of 9, 3/s, took 3.0 s");
        assert_eq!(line("users", 0, 9, after(3), "2 failed"), "users: 0 of 9, 0/s, 2 failed");
        assert_eq!(line("views", 0, 0, after(3), "lag 2 s"), "views: 3.0 s, lag 2 s");
    }
}
