//! Runs of requests: closed or open loop, over several connections.

use crate::measured::Measured;
use crate::service::Service;
use anyhow::{Context, Result};
use futures::future::{join_all, try_join_all};
use kit::{Connection, Lost, Pace, Progress, Schedule};
use std::cell::RefCell;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// How long to wait for the last responses.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest run that ends by a count.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Maximum number of concurrent requests of an open loop. Further ones wait, and the wait is part
/// of their latency.
const OPEN_CONNECTIONS: usize = 256;

#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// This long after the warm-up.
    Time(Duration),
    /// After this many requests.
    Count(u32),
}

/// A closed loop: each connection sends its next request after the response to its last.
#[derive(Clone, Copy, Debug)]
pub struct ClosedLoop {
    pub connections: usize,
    /// The time before anything is measured.
    pub warm_up: Duration,
    pub until: Until,
    /// The expected status code.
    pub expected: u16,
}

impl ClosedLoop {
    /// Sends the requests that `write` puts into the buffer.
    pub async fn run(
        &self,
        service: &mut Service,
        write: impl FnMut(&mut Vec<u8>),
    ) -> Result<Measured> {
        let connections = open(service, self.connections).await?;
        let begun = Instant::now();
        let first = begun + self.warm_up;
        let (last, count) = match self.until {
            Until::Time(duration) => (first + duration, u32::MAX),
            Until::Count(count) => (begun + LONGEST, count),
        };
        let measured = Measured::begin(begun, (first, last));
        let pace = Pace::closed(count);
        let mut measured =
            drive(connections, &pace, measured, self.expected, write, |_, _, _| ()).await?;
        if let Until::Count(_) = self.until {
            measured.window.1 = measured.ended;
        }
        Ok(measured)
    }

    /// Runs and shows the progress and the rate.
    pub async fn shown(
        &self,
        name: &str,
        service: &mut Service,
        write: impl FnMut(&mut Vec<u8>),
    ) -> Result<Measured> {
        let progress = Progress::begin(&format!("{name}, {} clients", self.connections), 0);
        let running = async {
            let measured = self.run(service, write).await?;
            progress.remark(format!("{:.0} requests/s", measured.rate()));
            Ok(measured)
        };
        progress.during(running).await
    }
}

/// An open loop: orders arrive at a constant rate, however long the responses take, and
/// latencies count from the time when each was due. Sends the requests that `write` puts into
/// the buffer. For each accepted order `note` gets the time when the request was due, the time
/// of the response, and its body.
pub async fn place_at_rate(
    service: &mut Service,
    per_second: u32,
    duration: Duration,
    write: impl FnMut(&mut Vec<u8>),
    note: impl FnMut(Instant, Instant, &[u8]),
) -> Result<Measured> {
    let count = u32::try_from(u64::from(per_second) * duration.as_secs())?;
    let schedule = Schedule::new(NonZeroU32::new(per_second).context("no rate")?, count);
    let connections = open(service, OPEN_CONNECTIONS).await?;
    let begun = Instant::now();
    let pace = Pace::open(schedule);
    let measured = Measured::begin(begun, (begun, begun + schedule.duration() + PATIENCE));
    let mut measured = drive(connections, &pace, measured, 201, write, note).await?;
    measured.window.1 = measured.ended;
    Ok(measured)
}

async fn open(service: &mut Service, count: usize) -> Result<Vec<Connection>> {
    let address = service.address("api").await?;
    let opening = (0..count).map(async |_| {
        let mut connection = Connection::new(address);
        connection.open().await.with_context(|| format!("nothing listens on {address}"))?;
        anyhow::Ok(connection)
    });
    try_join_all(opening).await
}

/// Sends requests until the pace or the measured window ends.
async fn drive(
    connections: Vec<Connection>,
    pace: &Pace,
    measured: Measured,
    expected: u16,
    write: impl FnMut(&mut Vec<u8>),
    note: impl FnMut(Instant, Instant, &[u8]),
) -> Result<Measured> {
    let (begun, last) = (measured.begun, measured.window.1);
    let (measured, write, note) = (RefCell::new(measured), RefCell::new(write), RefCell::new(note));
    let worker = async |mut connection: Connection| {
        let mut request = Vec::with_capacity(512);
        while Instant::now() < last
            && let Some((_, since)) = pace.next().await
        {
            write.borrow_mut()(&mut request);
            let response = connection.exchange(&request).await;
            let now = Instant::now();
            let mut measured = measured.borrow_mut();
            match response {
                Ok(response) if response.status == expected => {
                    note.borrow_mut()(since, now, response.body);
                    measured.accept(since, now);
                }
                Ok(response) => measured.fail(format!("status {}", response.status), now),
                Err(Lost::NotSent(why) | Lost::Unanswered(why)) => {
                    measured.fail(format!("no response: {why}"), now);
                }
            }
        }
    };
    let patience = last.saturating_duration_since(begun) + PATIENCE;
    timeout(patience, join_all(connections.into_iter().map(worker)))
        .await
        .context("responses do not arrive any more")?;
    Ok(measured.into_inner())
}
