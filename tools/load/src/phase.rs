//! A phase: many requests of one kind, over several connections.

use crate::client::{Connection, Server};
use crate::outcome::Outcome;
use crate::stop::Stop;
use crate::tally::Tally;
use futures::future::join_all;
use kit::{Pace, Progress, Schedule};
use std::cell::{Cell, RefCell};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// How the requests of all phases are sent.
#[derive(Clone, Copy, Debug)]
pub struct Drive<'a> {
    /// Connections.
    pub concurrency: u16,
    /// Arrivals per second; none for a closed loop.
    pub rate: Option<NonZeroU32>,
    pub stop: &'a Stop,
    /// A phase is abandoned if nothing is accepted for this long.
    pub patience: Duration,
}

/// A phase to run.
#[derive(Clone, Copy, Debug)]
pub struct Phase<'a> {
    pub name: &'static str,
    pub server: &'a Server,
    /// How many requests, numbered from 0.
    pub count: u32,
}

impl Drive<'_> {
    /// Runs a phase: `request` sends the request of a number. After a request to stop no more
    /// are sent.
    pub async fn run<R>(&self, phase: Phase<'_>, request: R) -> Tally
    where
        R: AsyncFn(&mut Connection<'_>, u32) -> Outcome,
    {
        let tally = RefCell::new(Tally::new(phase.name));
        let progress = Progress::begin(phase.name, phase.count.into());
        let begun = Instant::now();
        let pace = match self.rate {
            Some(rate) => Pace::open(Schedule::new(rate, phase.count)),
            None => Pace::closed(phase.count),
        };
        let last_accepted = Cell::new(begun);
        let worker = async || {
            let mut connection = Connection::new(phase.server);
            while let Some(Some((index, since))) = self.stop.or(pace.next()).await {
                if last_accepted.get().elapsed() > self.patience {
                    tally.borrow_mut().abandoned = true;
                    break;
                }
                let outcome = self.stop.or_overdue(request(&mut connection, index)).await;
                let outcome = outcome.unwrap_or_else(|| Outcome::Unknown("stopped".to_owned()));
                if outcome == Outcome::Accepted {
                    last_accepted.set(Instant::now());
                }
                let mut tally = tally.borrow_mut();
                tally.count(outcome, since.elapsed());
                progress.advance();
                if let Some(remark) = tally.not_accepted() {
                    progress.remark(remark);
                }
            }
        };
        let workers = u32::from(self.concurrency).min(phase.count);
        progress.during(join_all((0..workers).map(|_| worker()))).await;
        let mut tally = tally.into_inner();
        tally.took = begun.elapsed();
        tally
    }
}
