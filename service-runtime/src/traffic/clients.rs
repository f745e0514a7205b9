//! The client address of requests, and connection limits per address.

use super::addresses::{Network, TrustedProxies};
use super::settings::TrafficSettings;
use axum::extract::{ConnectInfo, Request};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// The header to which proxies append the address of their peer.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Determines client addresses and limits their connections.
#[derive(Clone, Debug)]
pub struct Clients {
    proxies: TrustedProxies,
    max_connections: u32,
}

/// Counts the connections of a server by client address.
#[derive(Clone, Debug, Default)]
pub struct Connected(Arc<Mutex<HashMap<Network, u32>>>);

/// A counted connection, until dropped.
#[derive(Debug)]
pub struct Place {
    connected: Connected,
    /// None: not counted.
    network: Option<Network>,
}

impl Clients {
    /// As configured.
    pub fn of(settings: &TrafficSettings) -> Self {
        Self {
            proxies: settings.trusted_proxies.clone(),
            max_connections: settings.connections_per_address,
        }
    }

    /// The network of the client that sent a request.
    pub fn network_of(&self, request: &Request) -> Network {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |ConnectInfo(peer)| peer.ip());
        let hops = request.headers().get_all(FORWARDED_FOR).iter();
        // A value that is not ASCII ends the trusted part.
        let hops = hops.map(|value| value.to_str().unwrap_or_default());
        Network::of(self.proxies.client(peer, hops))
    }

    /// Counts a connection; none if its address has reached the maximum.
    pub fn enter(&self, connected: &Connected, peer: IpAddr) -> Option<Place> {
        if self.proxies.contain(peer) {
            return Some(Place { connected: connected.clone(), network: None });
        }
        let network = Network::of(peer);
        let mut counts = connected.0.lock();
        let count = counts.entry(network).or_default();
        if *count >= self.max_connections {
            return None;
        }
        *count += 1;
        Some(Place { connected: connected.clone(), network: Some(network) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        let mut counts = self.connected.0.lock();
        if let Some(count) = counts.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_of_an_address_are_limited_except_for_proxies() {
        let proxies = "10.0.0.1".parse().unwrap();
        let clients = Clients { proxies, max_connections: 2 };
        let connected = Connected::default();
        let enter = |address: &str| clients.enter(&connected, address.parse().unwrap());
        let (first, second) = (enter("1.1.1.1"), enter("1.1.1.1"));
        assert!(first.is_some() && second.is_some());
        assert!(enter("1.1.1.1").is_none());
        assert!(enter("1.1.1.2").is_some());
        drop(first);
        assert!(enter("1.1.1.1").is_some());
        drop(second);
        let of_a_proxy: Vec<_> = (0..9).map(|_| enter("10.0.0.1")).collect();
        assert!(of_a_proxy.iter().all(Option::is_some));
        assert!(connected.0.lock().is_empty());
    }
}
