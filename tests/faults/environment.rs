//! A shop under load, in which things can be broken.

use super::client::Doors;
use super::ledger::Ledger;
use super::load::{Catalogue, Load, PATIENCE};
use crate::harness::{DedicatedServers, Link, Links, Servers, Service, Shop, within};
use fastrand::Rng;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A shop under load, and all that can be broken in it.
#[derive(Debug)]
pub struct Stage {
    /// The shop.
    pub shop: Shop,
    /// More services of the same shop.
    pub others: Vec<Service>,
    /// The links from the services to the servers.
    pub links: Links,
    /// The links from the clients to each command service.
    pub fronts: Vec<Link>,
    /// What goes on.
    pub load: Load,
    /// The clients' responses, and the expected data.
    pub ledger: Arc<Ledger>,
    /// The scenario's choices.
    pub random: Rng,
    dedicated_servers: Option<Arc<DedicatedServers>>,
}

/// Where scenarios take place.
#[derive(Clone, Debug)]
pub enum Place {
    /// On servers that others use, too.
    Shared(Servers),
    /// On servers that may be killed.
    Own(Arc<DedicatedServers>),
}

impl Place {
    fn servers(&self) -> &Servers {
        match self {
            Self::Shared(servers) => servers,
            Self::Own(own) => &own.servers,
        }
    }
}

impl Stage {
    /// Opens a shop with so many services of each sort, all of them started at once
    /// on empty databases, and lets clients in. Logs are kept in the folder.
    pub async fn set(
        place: &Place,
        replicas: usize,
        logs: &Path,
        ledger: Arc<Ledger>,
        seed: u64,
    ) -> Self {
        let mut random = Rng::with_seed(seed);
        let links = Links::to(place.servers());
        links.open().await;
        let shop = Shop::spawn(place.servers(), links.ports(), Some(logs)).await;
        let mut others = Vec::new();
        for _ in 1..replicas {
            others.push(shop.another_command_service());
            others.push(shop.another_consumer_service());
            others.push(shop.another_query_service());
        }
        for service in [&shop.command, &shop.consumer, &shop.query].into_iter().chain(&others) {
            service.healthy().await;
        }
        let (fronts, doors) = doors(&shop, &others).await;
        let catalogue = Catalogue::create(&shop, &ledger).await;
        let load = Load::start(doors, &catalogue, ledger.clone(), &mut random);
        let dedicated_servers = match place {
            Place::Shared(_) => None,
            Place::Own(own) => Some(own.clone()),
        };
        Self { shop, others, links, fronts, load, ledger, random, dedicated_servers }
    }

    /// Every service.
    pub fn services(&mut self) -> Vec<&mut Service> {
        let Shop { command, consumer, query, .. } = &mut self.shop;
        [command, consumer, query].into_iter().chain(&mut self.others).collect()
    }

    /// The servers, which are this scenario's own.
    pub fn dedicated_servers(&self) -> Arc<DedicatedServers> {
        self.dedicated_servers.clone().expect("a scenario that kills servers has its own")
    }

    /// Lets a fault last, by the seed between so many milliseconds.
    pub async fn for_a_while(&mut self, milliseconds: std::ops::Range<u64>) {
        tokio::time::sleep(Duration::from_millis(self.random.u64(milliseconds))).await;
    }

    /// Waits until a number of the write database, whose server may be away, is
    /// above a bound.
    pub async fn written_above(&self, bound: i64, sql: &'static str) {
        within(PATIENCE, async || match self.shop.databases.try_query_write(sql).await {
            Ok(number) if number > bound => Ok(()),
            other => Err(format!("{other:?}, not above {bound}: {sql}")),
        })
        .await;
    }

    /// Closes the shop for good.
    pub async fn close(self) {
        drop(self.others);
        self.shop.stop().await;
    }
}

/// A link to each command service, and where clients find services.
async fn doors(shop: &Shop, others: &[Service]) -> (Vec<Link>, Doors) {
    let (mut fronts, mut doors) = (Vec::new(), Doors { commands: Vec::new(), queries: Vec::new() });
    for service in [&shop.command, &shop.query].into_iter().chain(others) {
        match service.name() {
            "command-service" => {
                let front = Link::opened(service.port("api").await).await;
                doors.commands.push(format!("127.0.0.1:{}", front.port));
                fronts.push(front);
            }
            "query-service" => doors.queries.push(service.address("api").await),
            _ => {}
        }
    }
    (fronts, doors)
}
