//! AMQP connections that are re-established after a failure.
//!
//! After any failure the whole session ends, and a new one begins with a new connection.
//! The outcome of messages in flight is then unknown, so publishers send them again and
//! the broker delivers them again; consumers deduplicate.
//!
//! A filter (`filter.rs`) reads the broker's data before the AMQP library does, so
//! that no message breaks a connection or fills the memory.

mod filter;
mod inbox;
mod properties;
mod stream;

pub use inbox::{Defect, Inbox, Limits};
pub use properties::identity;

use crate::broker::BrokerUrl;
use crate::health::DependencyStatus;
use crate::retry::Backoff;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};
use std::io;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Time to establish or close a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A broker that does not respond in this time counts as unreachable. If a router in between
/// drops the connection silently, there is no other error.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// The backoff is reset after a session that lasted longer. A shorter one may have failed
/// for a reason that persists.
const STABLE: Duration = Duration::from_secs(10);

/// The exchange, and the queues with the keys that bind them to it.
#[derive(Clone, Debug)]
pub struct Topology {
    /// Name of the durable topic exchange.
    pub exchange: &'static str,
    /// Name and binding key of each durable queue.
    pub queues: Vec<(&'static str, String)>,
}

/// Consecutive sessions with the broker, until shutdown:
///
/// ```text
/// while let Some(connection) = sessions.begin().await {
///     let ended = work(&connection).await; // until something breaks
///     sessions.end(connection, ended).await;
/// }
/// ```
#[derive(Debug)]
pub struct Sessions {
    url: BrokerUrl,
    name: &'static str,
    limits: Limits,
    reporter: DependencyStatus,
    shutdown: CancellationToken,
    backoff: Backoff,
    began: Instant,
}

impl Sessions {
    /// Sessions with the broker at `url`. Its management UI shows `name`; `limits` bound what
    /// a session receives; `reporter` reports why a session ended.
    pub fn new(
        url: BrokerUrl,
        name: &'static str,
        limits: Limits,
        reporter: DependencyStatus,
        shutdown: CancellationToken,
    ) -> Self {
        let (backoff, began) = (Backoff::default(), Instant::now());
        Self { url, name, limits, reporter, shutdown, backoff, began }
    }

    /// Connects, with retries; none after the shutdown. A connection does not prove that the
    /// broker works, so the caller reports it as up.
    pub async fn begin(&mut self) -> Option<Session> {
        if self.shutdown.is_cancelled() {
            return None;
        }
        let connect = || connect(&self.url, self.name, self.limits);
        let session = self.backoff.until_success(&self.reporter, &self.shutdown, connect).await;
        self.began = Instant::now();
        session
    }

    /// Ends a session: closes its connection, and waits for the backoff if it failed.
    pub async fn end(&mut self, connection: Session, ended: anyhow::Result<()>) {
        // Fails if the connection is already broken.
        let closing = connection.close(200, "bye".into());
        let _ = timeout(CONNECT_TIMEOUT, closing).await;
        if let Err(error) = ended
            && !self.shutdown.is_cancelled()
        {
            self.reporter.down(format!("{error:#}"));
            if self.began.elapsed() > STABLE {
                self.backoff.reset();
            }
            self.backoff.wait(&self.shutdown).await;
        }
    }
}

/// A connection and its deliveries.
#[derive(Debug)]
pub struct Session {
    connection: Connection,
    /// The unsettled deliveries.
    pub inbox: Arc<Inbox>,
}

impl Deref for Session {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

/// Connects. The broker's management UI shows `name`.
///
/// # Errors
/// If the broker refuses or does not respond in time.
pub async fn connect(url: &BrokerUrl, name: &str, limits: Limits) -> anyhow::Result<Session> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let inbox = Arc::new(Inbox::new(limits));
    let connecting = stream::connect(url.uri(), properties, inbox.clone());
    let connection = timeout(CONNECT_TIMEOUT, connecting)
        .await
        .map_err(|_| anyhow::anyhow!("no connection within 5 s"))??;
    Ok(Session { connection, inbox })
}

/// Declares the exchange and the queues, which may exist already.
///
/// Queues are declared without arguments, as external programs do; the virtual host's
/// default queue type makes them quorum queues.
///
/// # Errors
/// If the broker refuses or does not respond in time, or the connection breaks.
pub async fn declare(channel: &Channel, topology: &Topology) -> lapin::Result<()> {
    let declaring = async {
        let (exchange, durable) = (topology.exchange, QueueDeclareOptions::durable());
        let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
        let arguments = FieldTable::default;
        channel
            .exchange_declare(exchange.into(), ExchangeKind::Topic, options, arguments())
            .await?;
        for (queue, key) in &topology.queues {
            channel.queue_declare((*queue).into(), durable, arguments()).await?;
            let (key, options) = (key.as_str().into(), QueueBindOptions::default());
            channel.queue_bind((*queue).into(), exchange.into(), key, options, arguments()).await?;
        }
        Ok(())
    };
    in_time(declaring).await
}

/// Waits for a response of the broker, for at most 10 s.
///
/// # Errors
/// Those of the broker, and the timeout.
pub async fn in_time<T>(response: impl Future<Output = lapin::Result<T>>) -> lapin::Result<T> {
    let timed_out = || io::Error::new(io::ErrorKind::TimedOut, "no response within 10 s");
    timeout(RESPONSE_TIMEOUT, response).await.unwrap_or_else(|_| Err(timed_out().into()))
}
