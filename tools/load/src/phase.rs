//! A phase: many requests of one kind, over several connections.

use crate::arguments::Arguments;
use crate::client::{Connection, Server};
use crate::outcome::NotAccepted;
use crate::stop::Stop;
use crate::tally::Tally;
use futures::future::join_all;
use kit::{Pace, Progress, Schedule};
use std::cell::{Cell, RefCell};
use std::num::NonZeroU32;
use std::time::Instant;

/// How requests are sent to a server.
#[derive(Clone, Copy, Debug)]
pub struct Drive<'a> {
    pub arguments: &'a Arguments,
    pub server: &'a Server,
    /// Arrivals per second; none for a closed loop.
    pub rate: Option<NonZeroU32>,
    pub stop: &'a Stop,
}

impl Drive<'_> {
    /// Runs a phase: `request` sends the request of a number below `count`. After a request
    /// to stop no more are sent. The phase is abandoned if nothing is accepted for too long.
    pub async fn run<R>(&self, name: &'static str, count: u32, request: R) -> Tally
    where
        R: AsyncFn(&mut Connection<'_>, u32) -> Result<(), NotAccepted>,
    {
        let tally = RefCell::new(Tally { name, ..Tally::default() });
        let progress = Progress::begin(name, count.into());
        let begun = Instant::now();
        let pace = match self.rate {
            Some(rate) => Pace::open(Schedule::new(rate, count)),
            None => Pace::closed(count),
        };
        let last_accepted = Cell::new(begun);
        let worker = async || {
            let mut connection = Connection::new(self.server);
            while let Some(Some((index, since))) = self.stop.or(pace.next()).await {
                if last_accepted.get().elapsed() > self.arguments.patience() {
                    tally.borrow_mut().abandoned = true;
                    break;
                }
                let outcome = self.stop.or_overdue(request(&mut connection, index)).await;
                let outcome =
                    outcome.unwrap_or_else(|| Err(NotAccepted::Unknown("stopped".to_owned())));
                if outcome.is_ok() {
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
        let workers = u32::from(self.arguments.concurrency).min(count);
        progress.during(join_all((0..workers).map(|_| worker()))).await;
        Tally { took: begun.elapsed(), ..tally.into_inner() }
    }
}
