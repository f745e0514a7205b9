//! Closed loop: some connections, each with its next request as soon as it has
//! the answer to the last.

use crate::client::Connection;
use crate::measured::Measured;
use anyhow::{Context, Result};
use futures::future::try_join_all;
use futures::stream::{FuturesUnordered, StreamExt};
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// How long the last answers are waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longest run that ends by a count.
const LONGEST: Duration = Duration::from_secs(3_600);

/// When a run ends.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After so long; warming up comes before.
    Time(Duration),
    /// After so many requests.
    Count(u64),
}

/// How requests are driven.
#[derive(Clone, Copy, Debug)]
pub struct ClosedLoop {
    /// Who is asked.
    pub address: SocketAddr,
    /// Connections.
    pub connections: usize,
    /// Before anything is measured.
    pub warm_up: Duration,
    /// When it ends.
    pub until: Until,
    /// The status of a good answer.
    pub expected: u16,
}

impl ClosedLoop {
    /// Sends what `write` puts into the buffer, again and again.
    ///
    /// # Errors
    /// If nobody listens, or answers do not come.
    pub async fn run(&self, write: impl FnMut(&mut Vec<u8>)) -> Result<Measured> {
        let opening = (0..self.connections).map(|_| Connection::open(self.address));
        let connections = try_join_all(opening).await?;
        let begun = Instant::now();
        let first = begun + self.warm_up;
        let (last, most) = match self.until {
            Until::Time(duration) => (first + duration, u64::MAX),
            Until::Count(count) => (begun + LONGEST, count),
        };
        let measured = RefCell::new(Measured::begin(begun, (first, last))?);
        let write = RefCell::new(write);
        let sent = Cell::new(0);
        let worker = async |mut connection: Connection| {
            let mut request = Vec::with_capacity(512);
            while sent.get() < most && Instant::now() < last {
                sent.set(sent.get() + 1);
                write.borrow_mut()(&mut request);
                let since = Instant::now();
                let outcome = connection.exchange(&request).await;
                let outcome = outcome.map(|answer| answer.status);
                judge(&mut measured.borrow_mut(), self.expected, outcome, since);
            }
        };
        let mut workers: FuturesUnordered<_> = connections.into_iter().map(worker).collect();
        let all = async { while workers.next().await.is_some() {} };
        let patience = last.saturating_duration_since(begun) + PATIENCE;
        timeout(patience, all).await.context("answers do not come any more")?;
        drop(workers);
        let mut measured = measured.into_inner();
        if let Until::Count(_) = self.until {
            measured.window.1 = measured.ended;
        }
        Ok(measured)
    }
}

/// Counts an answer, by its status, or the lack of one.
pub fn judge(
    measured: &mut Measured,
    expected: u16,
    outcome: std::io::Result<u16>,
    since: Instant,
) {
    let answered = Instant::now();
    match outcome {
        Ok(status) if status == expected => measured.accept(since, answered),
        Ok(status) => measured.fail(format!("status {status}"), answered),
        Err(error) => measured.fail(format!("no answer: {error}"), answered),
    }
}
