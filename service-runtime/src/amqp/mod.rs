//! AMQP connections that come back.
//!
//! One way to recover: whatever breaks, the whole session ends, and a new one
//! begins with a new connection. What was in flight then is not known, so
//! publishers send it again and consumers get it again; consumers deduplicate.
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

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A broker that has not answered by then is taken for lost. Of one whose connection
/// was forgotten on the way, by a router say, nobody else would ever tell.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// A session that lasted longer did not break at once, for a standing reason.
const STABLE: Duration = Duration::from_secs(10);

/// The exchange, and the queues with the keys that bind them to it.
#[derive(Clone, Debug)]
pub struct Topology {
    /// Name of the durable topic exchange.
    pub exchange: &'static str,
    /// Name and binding key of each durable queue.
    pub queues: Vec<(&'static str, String)>,
}

/// One session with the broker after the other, until shutdown:
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
    /// Sessions with the broker at `url`. `name` is seen in its management UI; `limits`
    /// bound what a session receives; `reporter` reports why a session ended.
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

    /// Waits for the broker and connects; none after the shutdown. Whether the
    /// broker is of use is for the session to report.
    pub async fn begin(&mut self) -> Option<Session> {
        while !self.shutdown.is_cancelled() {
            match connect(&self.url, self.name, self.limits).await {
                Ok(connection) => {
                    self.began = Instant::now();
                    return Some(connection);
                }
                Err(error) => self.reporter.down(format!("{error:#}")),
            }
            if !self.backoff.wait(&self.shutdown).await {
                return None;
            }
        }
        None
    }

    /// Ends a session: closes its connection, and waits a little if it broke.
    pub async fn end(&mut self, connection: Session, ended: anyhow::Result<()>) {
        // It may be broken already, and then there is nothing to close.
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
    /// The deliveries that are held.
    pub inbox: Arc<Inbox>,
}

impl Deref for Session {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

/// Connects. `name` is seen in the broker's management UI.
///
/// # Errors
/// If the broker does not answer in time, or refuses.
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
/// If the broker refuses or is silent, or the connection breaks.
pub async fn declare(channel: &Channel, topology: &Topology) -> lapin::Result<()> {
    in_time(declare_all(channel, topology)).await
}

/// Waits for answers of the broker, but not for ever.
///
/// # Errors
/// Those of the broker, or that it did not answer within 10 s.
pub async fn in_time<T>(answers: impl Future<Output = lapin::Result<T>>) -> lapin::Result<T> {
    let silence = || io::Error::new(io::ErrorKind::TimedOut, "no answer within 10 s");
    timeout(ANSWER_DEADLINE, answers).await.unwrap_or_else(|_| Err(silence().into()))
}

async fn declare_all(channel: &Channel, topology: &Topology) -> lapin::Result<()> {
    channel
        .exchange_declare(
            topology.exchange.into(),
            ExchangeKind::Topic,
            ExchangeDeclareOptions { durable: true, ..Default::default() },
            FieldTable::default(),
        )
        .await?;
    for (queue, binding_key) in &topology.queues {
        channel
            .queue_declare((*queue).into(), QueueDeclareOptions::durable(), FieldTable::default())
            .await?;
        channel
            .queue_bind(
                (*queue).into(),
                topology.exchange.into(),
                binding_key.as_str().into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await?;
    }
    Ok(())
}
