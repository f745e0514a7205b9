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

/// The ports without an offset, and their names. The broker's two internal ports differ from the
/// defaults of Erlang and RabbitMQ (4369, 25672), which a broker of the system may use.
const STANDARD: [(Use, u16, &str); 12] = [
    (Use::WriteDatabase, 5432, "the write database"),
    (Use::ReadDatabase, 5433, "the read database"),
    (Use::Amqp, 5672, "the broker's AMQP listener"),
    (Use::Management, 15672, "the broker's management interface"),
    (Use::Distribution, 25680, "the broker's Erlang distribution"),
    (Use::PortMapper, 25681, "the broker's Erlang port mapper"),
    (Use::CommandApi, 8080, "the command API"),
    (Use::QueryApi, 8081, "the query API"),
    (Use::CommandOperations, 9080, "the command service's operations interface"),
    (Use::QueryOperations, 9081, "the query service's operations interface"),
    (Use::ConsumerOperations, 9082, "the consumer service's operations interface"),
    (Use::Gateway, 8088, "the gateway"),
];

/// How many of [`STANDARD`] belong to the databases and the broker.
const INFRASTRUCTURE: usize = 6;
/// How many belong to the stack without the gateway.
const WITHOUT_GATEWAY: usize = 11;

/// Offsets to suggest. With them no two stacks have a port in common.
const SUGGESTED_OFFSETS: [u16; 5] = [100, 200, 300, 400, 500];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports(Vec<(Use, u16)>);

impl Ports {
    /// The ports of the stack without the gateway, plus the offset.
    pub fn of_stack(offset: u16) -> Result<Self> {
        Self::moved(&STANDARD[..WITHOUT_GATEWAY], offset)
    }

    /// The ports of the stack with the gateway, plus the offset.
    pub fn of_stack_and_gateway(offset: u16) -> Result<Self> {
        Self::moved(&STANDARD, offset)
    }

    /// The ports of the databases and the broker, plus the offset.
    pub fn of_infrastructure(offset: u16) -> Result<Self> {
        Self::moved(&STANDARD[..INFRASTRUCTURE], offset)
    }

    /// Free ports for the databases and the broker, chosen by the operating system.
    pub fn free_for_infrastructure() -> Result<Self> {
        // All are bound until all are known, otherwise a port could be chosen twice.
        let mut listeners = Vec::new();
        let mut ports = Vec::new();
        for (use_, ..) in &STANDARD[..INFRASTRUCTURE] {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
            ports.push((*use_, listener.local_addr()?.port()));
            listeners.push(listener);
        }
        Ok(Self(ports))
    }

    fn moved(standard: &[(Use, u16, &str)], offset: u16) -> Result<Self> {
        let moved = standard.iter().map(|(use_, port, name)| {
            let port = port.checked_add(offset).with_context(|| {
                let most = u16::MAX - STANDARD.iter().map(|(_, port, _)| *port).max().unwrap_or(0);
                format!("--port-offset {offset} puts {name} above port 65535: use at most {most}")
            })?;
            Ok((*use_, port))
        });
        moved.collect::<Result<Vec<_>>>().map(Self)
    }

    /// The port of a use; 0 if these ports do not include it.
    pub fn of(&self, wanted: Use) -> u16 {
        self.find(wanted).unwrap_or(0)
    }

    /// The port of a use, if these ports include it.
    pub fn find(&self, wanted: Use) -> Option<u16> {
        self.0.iter().find(|(use_, _)| *use_ == wanted).map(|(_, port)| *port)
    }

    /// The ports that are in use.
    fn taken(&self) -> Vec<(Use, u16)> {
        self.0.iter().copied().filter(|(_, port)| !is_free(*port)).collect()
    }

    /// Fails if one of the ports is in use.
    pub fn check_free(&self) -> Result<()> {
        let taken = self.taken();
        if taken.is_empty() {
            return Ok(());
        }
        let taken: Vec<_> =
            taken.iter().map(|(use_, port)| format!("{port} ({})", name(*use_))).collect();
        let advice = SUGGESTED_OFFSETS
            .iter()
            .find(|offset| self.moved_to(**offset).is_ok_and(|ports| ports.taken().is_empty()))
            .map(|offset| format!(", for example `--port-offset {offset}` (all of these are free)"))
            .unwrap_or_default();
        bail!(
            "another program uses port {}: stop it, or choose other ports by --port-offset{advice}",
            taken.join(", "),
        )
    }

    /// The same uses with another offset.
    fn moved_to(&self, offset: u16) -> Result<Self> {
        let uses: Vec<_> =
            STANDARD.into_iter().filter(|(use_, ..)| self.find(*use_).is_some()).collect();
        Self::moved(&uses, offset)
    }
}

/// The name of a use in messages.
fn name(wanted: Use) -> &'static str {
    STANDARD.iter().find(|(use_, ..)| *use_ == wanted).map_or("", |(.., name)| name)
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
    fn the_offset_is_added_to_every_port() {
        let ports = Ports::of_stack(100).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(ports.of(Use::CommandApi), 8180);
        assert_eq!(ports.of(Use::Management), 15772);
        let ports = Ports::of_infrastructure(0).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(ports.of(Use::ReadDatabase), 5433);
        assert_eq!(ports.of(Use::CommandApi), 0);
    }

    #[test]
    fn the_gateway_has_a_port_only_if_it_is_requested() -> Result<()> {
        assert_eq!(Ports::of_stack(500)?.find(Use::Gateway), None);
        let with = Ports::of_stack_and_gateway(500)?;
        assert_eq!(with.find(Use::Gateway), Some(8588));
        assert_eq!(with.moved_to(0)?, Ports::of_stack_and_gateway(0)?);
        let without = Ports::of_stack(500)?;
        assert_eq!(without.moved_to(0)?, Ports::of_stack(0)?);
        Ok(())
    }

    #[test]
    fn a_too_large_offset_is_refused() {
        let error = Ports::of_stack(60_000).err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("use at most 39854")));
    }

    #[test]
    fn stacks_with_suggested_offsets_have_no_port_in_common() {
        let offsets = SUGGESTED_OFFSETS.iter().chain(&[0]);
        let all = offsets.flat_map(|offset| STANDARD.map(|(_, port, _)| port + offset));
        let distinct: BTreeSet<u16> = all.clone().collect();
        assert_eq!(distinct.len(), all.count());
    }

    #[test]
    fn a_used_port_is_reported_with_its_use() -> Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let refusal = Ports(vec![(Use::Amqp, port)]).check_free();
        let text = refusal.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(text.contains(&format!("{port} (the broker's AMQP listener)")), "{text}");
        assert!(text.contains("--port-offset"), "{text}");
        Ok(())
    }
}
