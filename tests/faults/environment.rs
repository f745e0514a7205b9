//! The environment of a scenario: a shop under load, with links and servers that can be broken.

use super::client::Addresses;
use super::ledger::Ledger;
use super::load::{Catalogue, Load, RECOVERY_DEADLINE};
use crate::harness::{
    DedicatedServers, Link, Links, Servers, Service, Shop, modelled_delay, within,
};
use fastrand::Rng;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A shop under load.
#[derive(Debug)]
pub struct Environment {
    /// The shop.
    pub shop: Shop,
    /// Further services of the same shop.
    pub others: Vec<Service>,
    /// The links from services to servers.
    pub links: Links,
    /// The links from clients to each command service.
    pub client_links: Vec<Link>,
    /// The clients.
    pub load: Load,
    /// The responses that the clients got, and the expected data.
    pub ledger: Arc<Ledger>,
    /// The random choices of the scenario.
    pub random: Rng,
    dedicated_servers: Option<Arc<DedicatedServers>>,
}

/// The servers that scenarios use.
#[derive(Clone, Debug)]
pub enum ServerChoice {
    /// Servers that other tests use, too.
    Shared(Servers),
    /// Servers that a scenario may kill.
    Dedicated(Arc<DedicatedServers>),
}

impl ServerChoice {
    fn servers(&self) -> &Servers {
        match self {
            Self::Shared(servers) => servers,
            Self::Dedicated(dedicated) => &dedicated.servers,
        }
    }
}

impl Environment {
    /// Starts this many replicas of each service on empty databases, all at once, and then
    /// the clients. Logs are kept in the folder.
    pub async fn start(
        servers: &ServerChoice,
        replicas: usize,
        logs: &Path,
        ledger: Arc<Ledger>,
        seed: u64,
    ) -> Self {
        let mut random = Rng::with_seed(seed);
        let links = Links::to(servers.servers());
        links.open().await;
        let shop = Shop::spawn(servers.servers(), links.ports(), Some(logs)).await;
        let mut others = Vec::new();
        for _ in 1..replicas {
            others.push(shop.another_command_service());
            others.push(shop.another_consumer_service());
            others.push(shop.another_query_service());
        }
        for service in shop.services().into_iter().chain(&others) {
            service.healthy().await;
        }
        let (client_links, addresses) = addresses(&shop, &others).await;
        let catalogue = Catalogue::create(&shop, &ledger).await;
        let load = Load::start(addresses, &catalogue, ledger.clone(), &mut random);
        let dedicated_servers = match servers {
            ServerChoice::Shared(_) => None,
            ServerChoice::Dedicated(servers) => Some(servers.clone()),
        };
        Self { shop, others, links, client_links, load, ledger, random, dedicated_servers }
    }

    /// All services.
    pub fn services(&mut self) -> Vec<&mut Service> {
        self.shop.services_mut().into_iter().chain(&mut self.others).collect()
    }

    /// Waits until all services are healthy.
    pub async fn healthy(&mut self) {
        for service in self.services() {
            service.healthy().await;
        }
    }

    /// The servers of a scenario that breaks servers.
    pub fn dedicated_servers(&self) -> Arc<DedicatedServers> {
        self.dedicated_servers.clone().expect("the scenario has dedicated servers")
    }

    /// Lets a random time of this range in milliseconds pass, before a fault or during it. The
    /// effect of a fault depends on its duration, because timeouts, heartbeats and retries run
    /// meanwhile.
    pub async fn random_delay(&mut self, milliseconds: Range<u64>) {
        modelled_delay(Duration::from_millis(self.random.u64(milliseconds))).await;
    }

    /// Waits until an integer of the write database, whose server may be unavailable, exceeds
    /// a bound.
    pub async fn wait_for_more_than(&self, bound: i64, sql: &'static str) {
        within(RECOVERY_DEADLINE, async || match self.shop.databases.try_query_write(sql).await {
            Ok(number) if number > bound => Ok(()),
            other => Err(format!("{other:?}, not above {bound}: {sql}")),
        })
        .await;
    }

    /// Stops the services and deletes the databases.
    pub async fn stop(self) {
        drop(self.others);
        self.shop.stop().await;
    }
}

/// A link to each command service, and the addresses that clients use.
async fn addresses(shop: &Shop, others: &[Service]) -> (Vec<Link>, Addresses) {
    let (mut links, mut commands, mut queries) = (Vec::new(), Vec::new(), Vec::new());
    for service in [&shop.command, &shop.query].into_iter().chain(others) {
        match service.name() {
            "command-service" => {
                let link = Link::opened(service.port("api").await).await;
                commands.push(format!("127.0.0.1:{}", link.port));
                links.push(link);
            }
            "query-service" => queries.push(service.address("api").await),
            _ => {}
        }
    }
    (links, Addresses { commands, queries })
}
