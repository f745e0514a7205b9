//! Links between the services of a shop and its servers.

use super::link::Link;
use super::servers::Servers;

/// The ports through which services reach servers: the servers' own ports, or those of
/// links or connection poolers.
#[derive(Clone, Copy, Debug)]
pub struct ServerPorts {
    /// From the command service to the write database.
    pub command_write: u16,
    /// From the command service to the broker.
    pub command_broker: u16,
    /// From the consumer service to the broker.
    pub consumer_broker: u16,
    /// From the consumer service to the read database.
    pub consumer_read: u16,
    /// From the query service to the read database.
    pub query_read: u16,
}

impl ServerPorts {
    /// The servers' own ports.
    pub fn direct(servers: &Servers) -> Self {
        Self {
            command_write: servers.write_port(),
            command_broker: servers.broker_port(),
            consumer_broker: servers.broker_port(),
            consumer_read: servers.read_port(),
            query_read: servers.read_port(),
        }
    }
}

/// One link for each connection between a service and a server.
#[derive(Debug)]
pub struct Links {
    /// From the command service to the write database.
    pub command_write: Link,
    /// From the command service to the broker.
    pub command_broker: Link,
    /// From the consumer service to the broker.
    pub consumer_broker: Link,
    /// From the consumer service to the read database.
    pub consumer_read: Link,
    /// From the query service to the read database.
    pub query_read: Link,
}

impl Links {
    /// Links that refuse connections until [`Self::open`].
    pub fn to(servers: &Servers) -> Self {
        let direct = ServerPorts::direct(servers);
        Self {
            command_write: Link::to(direct.command_write),
            command_broker: Link::to(direct.command_broker),
            consumer_broker: Link::to(direct.consumer_broker),
            consumer_read: Link::to(direct.consumer_read),
            query_read: Link::to(direct.query_read),
        }
    }

    /// All links.
    pub fn all(&self) -> [&Link; 5] {
        [
            &self.command_write,
            &self.command_broker,
            &self.consumer_broker,
            &self.consumer_read,
            &self.query_read,
        ]
    }

    /// Opens all links.
    pub async fn open(&self) {
        for link in self.all() {
            link.open().await;
        }
    }

    /// The ports of the links.
    pub fn ports(&self) -> ServerPorts {
        ServerPorts {
            command_write: self.command_write.port,
            command_broker: self.command_broker.port,
            consumer_broker: self.consumer_broker.port,
            consumer_read: self.consumer_read.port,
            query_read: self.query_read.port,
        }
    }
}
