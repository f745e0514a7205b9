//! Addresses of clients and trusted proxies.

use ipnet::{IpNet, Ipv6Net};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// The prefix length that a provider assigns to a customer, who can use any of its 2^64
/// addresses.
const IPV6_PREFIX: u8 = 64;

/// The address by which clients are counted; for IPv6, its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

/// Networks of proxies whose `X-Forwarded-For` is trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl Network {
    /// The network of an address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = Ipv6Net::new_assert(address, IPV6_PREFIX).network();
                Self(network.into())
            }
            address => Self(address),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(network) => write!(f, "{network}/{IPV6_PREFIX}"),
        }
    }
}

impl TrustedProxies {
    /// Whether the address is that of a trusted proxy.
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client on whose behalf a peer sends a request. `hops` are the values of
    /// `X-Forwarded-For`, to which each proxy appends the address of its peer. They are
    /// trusted from the end, as long as the sender is a trusted proxy.
    pub fn client<'a>(
        &self,
        peer: IpAddr,
        hops: impl DoubleEndedIterator<Item = &'a str>,
    ) -> IpAddr {
        let mut client = peer.to_canonical();
        for hop in hops.flat_map(|value| value.split(',')).rev() {
            if !self.contain(client) {
                break;
            }
            let Some(address) = address(hop.trim()) else { break };
            client = address;
        }
        client
    }
}

/// An address, optionally with a port.
fn address(hop: &str) -> Option<IpAddr> {
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    hop.parse().ok().or_else(with_port).or_else(in_brackets).map(|ip: IpAddr| ip.to_canonical())
}

impl FromStr for TrustedProxies {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
        let network = |part: &str| {
            let address = || part.parse::<IpAddr>().ok().map(IpNet::from);
            let network = part.parse().ok().or_else(address);
            network.ok_or_else(|| format!("{part} is neither an address nor a network"))
        };
        parts.map(network).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &str, peer: &str, hops: &[&str]) -> String {
        let trusted: TrustedProxies = trusted.parse().unwrap();
        trusted.client(peer.parse().unwrap(), hops.iter().copied()).to_string()
    }

    #[test]
    fn forwarded_addresses_of_untrusted_peers_are_ignored() {
        assert_eq!(client("", "9.9.9.9", &["1.1.1.1"]), "9.9.9.9");
        assert_eq!(client("10.0.0.0/8", "9.9.9.9", &["1.1.1.1"]), "9.9.9.9");
    }

    #[test]
    fn the_last_untrusted_hop_is_the_client() {
        let trusted = "10.0.0.0/8, 192.168.1.1";
        assert_eq!(client(trusted, "10.1.2.3", &[]), "10.1.2.3");
        assert_eq!(client(trusted, "10.1.2.3", &["1.1.1.1"]), "1.1.1.1");
        // The client itself may have sent earlier values.
        assert_eq!(client(trusted, "10.1.2.3", &["5.5.5.5, 1.1.1.1"]), "1.1.1.1");
        assert_eq!(client(trusted, "10.1.2.3", &["5.5.5.5", "1.1.1.1"]), "1.1.1.1");
        assert_eq!(client(trusted, "10.1.2.3", &["1.1.1.1, 192.168.1.1"]), "1.1.1.1");
        assert_eq!(client(trusted, "10.1.2.3", &["10.9.9.9"]), "10.9.9.9");
        assert_eq!(client(trusted, "::ffff:10.1.2.3", &["1.1.1.1:80"]), "1.1.1.1");
        assert_eq!(client(trusted, "10.1.2.3", &["[2001:db8::1]:80"]), "2001:db8::1");
        assert_eq!(client(trusted, "10.1.2.3", &["1.1.1.1, unknown"]), "10.1.2.3");
    }

    #[test]
    fn ipv6_addresses_are_counted_by_network() {
        let network = |text: &str| Network::of(text.parse().unwrap());
        assert_eq!(network("2001:db8:0:1::1"), network("2001:db8:0:1:ffff::2"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8:0:2::1"));
        assert_eq!(network("::ffff:1.2.3.4"), network("1.2.3.4"));
        assert_ne!(network("1.2.3.4"), network("1.2.3.5"));
        assert_eq!(network("2001:db8::1").to_string(), "2001:db8::/64");
    }

    #[test]
    fn invalid_networks_are_refused() {
        assert_eq!("".parse(), Ok(TrustedProxies::default()));
        for bad in ["localhost", "10.0.0.0/33", "10.0.0", "1.1.1.1;2.2.2.2"] {
            assert!(bad.parse::<TrustedProxies>().is_err(), "{bad}");
        }
    }
}
