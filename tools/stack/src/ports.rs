//! The ports of a stack, and whether they are free.

use anyhow::{Context, Result, bail};
use std::net::{Ipv4Addr, TcpListener};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    WriteDatabase,
    ReadDatabase,
    Amqp,
    Management,
    /// Only `rabbitmqctl` connects to it.
    Distribution,
    PortMapper,
    CommandApi,
    QueryApi,
    CommandOperations,
    QueryOperations,
    ConsumerOperations,
    Gateway,
}

/// A port of a server or a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    use_: Use,
    number: u16,
    /// The name in messages.
    name: &'static str,
}

/// The ports without an offset. The broker's two internal ports differ from the defaults of
/// Erlang and RabbitMQ (4369, 25672), which a broker of the system may use.
static STANDARD: [Port; 12] = [
    port(Use::WriteDatabase, 5432, "the write database"),
    port(Use::ReadDatabase, 5433, "the read database"),
    port(Use::Amqp, 5672, "the broker's AMQP listener"),
    port(Use::Management, 15672, "the broker's management interface"),
    port(Use::Distribution, 25680, "the broker's Erlang distribution"),
    port(Use::PortMapper, 25681, "the broker's Erlang port mapper"),
    port(Use::CommandApi, 8080, "the command API"),
    port(Use::QueryApi, 8081, "the query API"),
    port(Use::CommandOperations, 9080, "the command service's operations interface"),
    port(Use::QueryOperations, 9081, "the query service's operations interface"),
    port(Use::ConsumerOperations, 9082, "the consumer service's operations interface"),
    port(Use::Gateway, 8088, "the gateway"),
];

const fn port(use_: Use, number: u16, name: &'static str) -> Port {
    Port { use_, number, name }
}

/// Offsets to suggest. With them no two stacks have a port in common.
const SUGGESTED_OFFSETS: [u16; 5] = [100, 200, 300, 400, 500];

/// The first of [`STANDARD`], as many as are used, with numbers of this run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports(Vec<Port>);

impl Ports {
    /// The databases and the broker.
    pub const INFRASTRUCTURE: usize = 6;
    /// The databases, the broker and the services.
    pub const STACK: usize = 11;
    /// The stack and the gateway.
    pub const STACK_AND_GATEWAY: usize = 12;

    /// The first `count` of the standard ports, plus the offset.
    pub fn with_offset(count: usize, offset: u16) -> Result<Self> {
        let moved = STANDARD[..count].iter().map(|port| {
            let number = port.number.checked_add(offset).with_context(|| {
                let most = u16::MAX - STANDARD.iter().map(|port| port.number).max().unwrap_or(0);
                let name = port.name;
                format!("--port-offset {offset} puts {name} above port 65535: use at most {most}")
            })?;
            Ok(Port { number, ..*port })
        });
        moved.collect::<Result<_>>().map(Self)
    }

    /// Free ports for the databases and the broker, chosen by the operating system.
    pub fn free_for_infrastructure() -> Result<Self> {
        // All are bound until all are known, otherwise a port could be chosen twice.
        let mut listeners = Vec::new();
        let mut ports = Vec::new();
        for port in &STANDARD[..Self::INFRASTRUCTURE] {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
            ports.push(Port { number: listener.local_addr()?.port(), ..*port });
            listeners.push(listener);
        }
        Ok(Self(ports))
    }

    /// The port of a use; 0 if these ports do not include it.
    pub fn of(&self, wanted: Use) -> u16 {
        self.find(wanted).unwrap_or(0)
    }

    /// The port of a use, if these ports include it.
    pub fn find(&self, wanted: Use) -> Option<u16> {
        self.0.iter().find(|port| port.use_ == wanted).map(|port| port.number)
    }

    /// Fails if one of the ports is in use.
    pub fn check_free(&self) -> Result<()> {
        let taken: Vec<_> = self
            .0
            .iter()
            .filter(|port| !is_free(port.number))
            .map(|port| format!("{} ({})", port.number, port.name))
            .collect();
        if taken.is_empty() {
            return Ok(());
        }
        let all_free = |ports: Self| ports.0.iter().all(|port| is_free(port.number));
        let advice = SUGGESTED_OFFSETS
            .iter()
            .find(|offset| Self::with_offset(self.0.len(), **offset).is_ok_and(all_free))
            .map(|offset| format!(", for example `--port-offset {offset}` (all of these are free)"))
            .unwrap_or_default();
        bail!(
            "another program uses port {}: stop it, or choose other ports by --port-offset{advice}",
            taken.join(", "),
        )
    }
}

/// Whether the port is free on the loopback address and on all addresses: with either in use,
/// some requests would reach another program.
fn is_free(port: u16) -> bool {
    [Ipv4Addr::LOCALHOST, Ipv4Addr::UNSPECIFIED]
        .iter()
        .all(|address| TcpListener::bind((*address, port)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_offset_is_added_to_every_port() -> Result<()> {
        let ports = Ports::with_offset(Ports::STACK, 100)?;
        assert_eq!(ports.of(Use::CommandApi), 8180);
        assert_eq!(ports.of(Use::Management), 15772);
        let ports = Ports::with_offset(Ports::INFRASTRUCTURE, 0)?;
        assert_eq!(ports.of(Use::ReadDatabase), 5433);
        assert_eq!(ports.of(Use::CommandApi), 0);
        Ok(())
    }

    #[test]
    fn the_gateway_has_a_port_only_if_it_is_requested() -> Result<()> {
        assert_eq!(Ports::with_offset(Ports::STACK, 500)?.find(Use::Gateway), None);
        let with = Ports::with_offset(Ports::STACK_AND_GATEWAY, 500)?;
        assert_eq!(with.find(Use::Gateway), Some(8588));
        Ok(())
    }

    #[test]
    fn a_too_large_offset_is_refused() {
        let error = Ports::with_offset(Ports::STACK, 60_000).err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("use at most 39854")));
    }

    #[test]
    fn stacks_with_suggested_offsets_have_no_port_in_common() {
        let offsets = SUGGESTED_OFFSETS.iter().chain(&[0]);
        let all = offsets.flat_map(|offset| STANDARD.map(|port| port.number + offset));
        let distinct: BTreeSet<u16> = all.clone().collect();
        assert_eq!(distinct.len(), all.count());
    }

    #[test]
    fn a_used_port_is_reported_with_its_use() -> Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let number = listener.local_addr()?.port();
        let amqp = Port { number, ..STANDARD[2] };
        let refusal = Ports(vec![amqp]).check_free();
        let text = refusal.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(text.contains(&format!("{number} (the broker's AMQP listener)")), "{text}");
        assert!(text.contains("--port-offset"), "{text}");
        Ok(())
    }
}
