//! What the bench is at: a line that is redrawn on a terminal, else a line now
//! and then.

use crate::output;
use futures::future::{Either, select};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::RefCell;
use std::convert::Infallible;
use std::io::{IsTerminal, stderr};
use std::pin::pin;
use std::time::{Duration, Instant};

/// Between two lines.
const LINE_EVERY: Duration = Duration::from_secs(15);

/// Between two looks of the redrawn line. Drawing takes processor time from
/// what is measured.
const DRAW_EVERY: Duration = Duration::from_millis(500);

/// One step of a section.
#[derive(Debug)]
pub struct Progress {
    name: String,
    /// None if nobody would see it.
    bar: Option<ProgressBar>,
    begun: Instant,
    remark: RefCell<String>,
}

impl Progress {
    /// Begins a step.
    pub fn begin(name: &str) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let target = ProgressDrawTarget::stderr_with_hz(5);
            ProgressBar::with_draw_target(None, target).with_style(ProgressStyle::default_spinner())
        });
        let progress =
            Self { name: name.to_owned(), bar, begun: Instant::now(), remark: RefCell::default() };
        progress.draw();
        progress
    }

    /// Says something beside the time.
    pub fn remark(&self, remark: String) {
        *self.remark.borrow_mut() = remark;
    }

    /// Does the step's work, and shows that time passes until it is done.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let done = match select(pin!(work), pin!(self.keep_telling())).await {
            Either::Left((done, _)) => done,
            Either::Right((never, _)) => match never {},
        };
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        output::note(&self.line());
        done
    }

    async fn keep_telling(&self) -> Infallible {
        let every = if self.bar.is_some() { DRAW_EVERY } else { LINE_EVERY };
        loop {
            tokio::time::sleep(every).await;
            match &self.bar {
                Some(_) => self.draw(),
                None => output::note(&self.line()),
            }
        }
    }

    fn draw(&self) {
        if let Some(bar) = &self.bar {
            bar.set_message(self.line());
            bar.tick();
        }
    }

    fn line(&self) -> String {
        let (name, seconds) = (&self.name, self.begun.elapsed().as_secs_f64());
        match self.remark.borrow().as_str() {
            "" => format!("  {name}: {seconds:.1} s"),
            remark => format!("  {name}: {seconds:.1} s, {remark}"),
        }
    }
}

/// Does a step that says nothing beside the time.
pub async fn shown<T>(name: &str, work: impl Future<Output = T>) -> T {
    Progress::begin(name).during(work).await
}
