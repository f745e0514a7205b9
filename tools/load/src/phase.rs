//! A phase: many requests of a kind, over some connections.

use crate::client::{Connection, Server};
use crate::outcome::Outcome;
use crate::pacing::Pace;
use crate::progress::Progress;
use crate::stop::Stop;
use crate::tally::Tally;
use futures::future::join_all;
use std::cell::{Cell, RefCell};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// How all phases are driven.
#[derive(Clone, Copy, Debug)]
pub struct Drive<'a> {
    /// Connections.
    pub concurrency: u16,
    /// Arrivals per second; none: closed loop.
    pub rate: Option<NonZeroU32>,
    /// Ends every phase.
    pub stop: &'a Stop,
    /// A phase in which nothing was accepted for so long is given up.
    pub patience: Duration,
}

/// What a phase does.
#[derive(Clone, Copy, Debug)]
pub struct Phase<'a> {
    /// For people.
    pub name: &'static str,
    /// Who is asked.
    pub server: &'a Server,
    /// How many requests, numbered from 0.
    pub count: u32,
}

impl Drive<'_> {
    /// Makes the requests of a phase: `request` makes the one of that number.
    /// When a stop is asked for, no more are begun.
    ///
    /// # Errors
    /// If the phase cannot be measured.
    pub async fn run<R>(&self, phase: Phase<'_>, request: R) -> anyhow::Result<Tally>
    where
        R: AsyncFn(&mut Connection<'_>, u32) -> Outcome,
    {
        let tally = RefCell::new(Tally::new(phase.name)?);
        let progress = Progress::begin(phase.name, phase.count.into())?;
        let begun = Instant::now();
        let pace = Pace::begin(self.rate, phase.count, self.stop);
        let next = Cell::new(0);
        let last_accepted = Cell::new(begun);
        let worker = async || {
            let mut connection = Connection::new(phase.server);
            while self.stop.or(pace.wait()).await.is_some() {
                let index = next.get();
                if index == phase.count || self.stop.is_asked() {
                    break;
                }
                next.set(index + 1);
                if last_accepted.get().elapsed() > self.patience {
                    tally.borrow_mut().given_up = true;
                    break;
                }
                let since = pace.counts_from(index);
                let outcome = self.stop.or_overdue(request(&mut connection, index)).await;
                let outcome = outcome.unwrap_or_else(|| Outcome::Unknown("stopped".to_owned()));
                if outcome == Outcome::Accepted {
                    last_accepted.set(Instant::now());
                }
                progress.advance(&outcome);
                tally.borrow_mut().count(outcome, since.elapsed());
            }
        };
        let workers = u32::from(self.concurrency).min(phase.count);
        progress.during(join_all((0..workers).map(|_| worker()))).await;
        let mut tally = tally.into_inner();
        tally.took = begun.elapsed();
        Ok(tally)
    }
}
