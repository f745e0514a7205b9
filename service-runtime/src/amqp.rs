//! AMQP connections that come back.
//!
//! One way to recover: whatever breaks, the whole session ends, and a new one
//! begins with a new connection. What was in flight then is not known, so
//! publishers send it again and consumers get it again; consumers deduplicate.

use crate::config::BrokerUrl;
use crate::health::Reporter;
use crate::retry::Pauses;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The exchange, and the queues with the keys that bind them to it.
#[derive(Clone, Debug)]
pub struct Topology {
    /// Name of the durable topic exchange.
    pub exchange: &'static str,
    /// Name and binding key of each durable queue.
    pub queues: Vec<(&'static str, String)>,
}

/// Keeps a session with the broker going until shutdown.
///
/// `session` gets a fresh connection and runs until something breaks, or until
/// the shutdown, when it returns `Ok`. `name` is seen in the management UI.
pub async fn keep_session<S>(
    url: &BrokerUrl,
    name: &str,
    reporter: &Reporter,
    shutdown: &CancellationToken,
    mut session: S,
) where
    S: AsyncFnMut(&Connection) -> anyhow::Result<()>,
{
    let mut pauses = Pauses::default();
    while !shutdown.is_cancelled() {
        let ended = match connect(url, name).await {
            Ok(connection) => {
                pauses.reset();
                reporter.up();
                let ended = session(&connection).await;
                // It may be broken already, and then there is nothing to close.
                let _ = tokio::time::timeout(
                    CONNECT_TIMEOUT,
                    connection.close(200, "bye".into()),
                )
                .await;
                ended
            }
            Err(error) => Err(error),
        };
        if shutdown.is_cancelled() {
            return;
        }
        if let Err(error) = ended {
            reporter.down(format!("{error:#}"));
        }
        if !pauses.pause(shutdown).await {
            return;
        }
    }
}

async fn connect(url: &BrokerUrl, name: &str) -> anyhow::Result<Connection> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connecting = Connection::connect_uri(url.uri(), properties);
    Ok(tokio::time::timeout(CONNECT_TIMEOUT, connecting)
        .await
        .map_err(|_| anyhow::anyhow!("no connection within 5 s"))??)
}

/// Declares the exchange and the queues, which may exist already.
///
/// Queues are declared without arguments, as strangers do; that they are
/// quorum queues is decided by the virtual host's default queue type.
///
/// # Errors
/// If the broker refuses, or the connection breaks.
pub async fn declare(channel: &Channel, topology: &Topology) -> lapin::Result<()> {
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
