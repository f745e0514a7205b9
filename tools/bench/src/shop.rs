//! A shop to measure: databases with products and customers, and the services of a section.

use crate::cpu::Part;
use crate::databases::{Database, Databases};
use crate::drive::{ClosedLoop, Until};
use crate::pgbench::insert_customers;
use crate::requests::{self, PRODUCTS};
use crate::servers::Servers;
use crate::service::Service;
use anyhow::{Context, Result, bail, ensure};
use futures::future::try_join;
use kit::shown;
use std::fmt::Debug;
use std::process::Command;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long a value may stay unchanged before a wait fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Databases, and how services are started on them.
#[derive(Clone, Debug)]
pub struct Shop {
    servers: Rc<Servers>,
    pub databases: Databases,
}

/// A command service with the broker, and a consumer service.
#[derive(Debug)]
pub struct Pipeline {
    pub command: Service,
    pub consumer: Service,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Events {
    /// In the outbox, not published.
    pub unpublished: i64,
    pub published: i64,
    /// Applied to the views.
    pub applied: i64,
}

impl Shop {
    /// A new shop: 10,000 products, created over HTTP so that the views have them, and the
    /// customers.
    pub async fn open(servers: &Rc<Servers>) -> Result<Self> {
        let shop = Self::of(servers, Databases::create(servers).await?).await?;
        let making = async {
            let mut pipeline = shop.start_pipeline().await?;
            shop.create_products(&mut pipeline.command).await?;
            insert_customers(&shop.databases.write).await?;
            shop.caught_up().await
        };
        shown("products and customers", making).await?;
        shop.databases.settle().await?;
        Ok(shop)
    }

    /// A shop with existing databases and new queues.
    pub async fn of(servers: &Rc<Servers>, databases: Databases) -> Result<Self> {
        servers.delete_queues().await?;
        Ok(Self { servers: servers.clone(), databases })
    }

    async fn create_products(&self, command: &mut Service) -> Result<()> {
        let until = Until::Count(PRODUCTS);
        let creating =
            ClosedLoop { connections: 64, warm_up: Duration::ZERO, until, expected: 201 };
        let mut id = 0;
        let created = creating.run(command, |request| {
            id += 1;
            requests::product(request, id);
        });
        if let Some(flag) = created.await?.flag() {
            bail!("products were not created: {flag}");
        }
        let highest: i64 =
            one(&self.databases.write, "SELECT coalesce(max(id), 0) FROM products").await?;
        // Orders name the products 1 to PRODUCTS.
        ensure!(highest == i64::from(PRODUCTS), "the products' ids have gaps");
        Ok(())
    }

    /// Starts a command service. With `NO_BROKER` it publishes nothing.
    pub fn spawn_command(&self, broker: &str) -> Result<Service> {
        let url = self.databases.write.url();
        self.spawn("command-service", &[("DATABASE_URL", &url), ("BROKER_URL", broker)])
    }

    pub fn spawn_consumer(&self) -> Result<Service> {
        let url = self.databases.read.url();
        let settings = [("READ_DATABASE_URL", url.as_str()), ("BROKER_URL", &self.servers.broker)];
        self.spawn("consumer-service", &settings)
    }

    pub fn spawn_query(&self) -> Result<Service> {
        let url = self.databases.read.url();
        self.spawn("query-service", &[("READ_DATABASE_URL", &url)])
    }

    /// Starts a command and a consumer service and waits until both are healthy.
    pub async fn start_pipeline(&self) -> Result<Pipeline> {
        self.start_pipeline_with(&[]).await
    }

    /// The same with further settings of the command service.
    pub async fn start_pipeline_with(&self, settings: &[(&str, &str)]) -> Result<Pipeline> {
        let url = self.databases.write.url();
        let mut all = vec![("DATABASE_URL", url.as_str()), ("BROKER_URL", &self.servers.broker)];
        all.extend(settings);
        let (command, consumer) = (self.spawn("command-service", &all)?, self.spawn_consumer()?);
        let (command, consumer) = try_join(command.healthy(), consumer.healthy()).await?;
        Ok(Pipeline { command, consumer })
    }

    fn spawn(&self, name: &'static str, settings: &[(&str, &str)]) -> Result<Service> {
        let mut program = Command::new(self.servers.services.join(name));
        Service::start(name, &mut program, settings, &self.servers.folder)
    }

    /// The processes of the servers and of these services.
    pub fn parts(&self, services: &[&Service]) -> Vec<Part> {
        let services = services.iter().map(|service| service.part());
        self.servers.processes.iter().cloned().chain(services).collect()
    }

    /// Counts of events, as the publisher and the consumer keep them: counting rows would take
    /// processor time from what is measured.
    pub async fn events(&self) -> Result<Events> {
        let unpublished = "SELECT count(*) FROM outbox WHERE published_at IS NULL";
        let unpublished = one(&self.databases.write, unpublished).await?;
        let (published, applied) = (self.published().await?, self.applied().await?);
        Ok(Events { unpublished, published, applied })
    }

    pub async fn published(&self) -> Result<i64> {
        one(&self.databases.write, "SELECT sum(published)::bigint FROM outbox_progress").await
    }

    pub async fn applied(&self) -> Result<i64> {
        one(&self.databases.read, "SELECT events_applied FROM sync_status").await
    }

    pub async fn caught_up(&self) -> Result<()> {
        let is_caught_up =
            |events: &Events| events.unpublished == 0 && events.applied >= events.published;
        wait_until(Duration::from_millis(50), async || self.events().await, is_caught_up).await?;
        Ok(())
    }
}

/// Reads a value until it is as wanted, with `pause` between two reads. Returns it, and when it
/// was read. Fails if the value does not change for [`PATIENCE`].
pub async fn wait_until<T: Copy + Debug + PartialEq>(
    pause: Duration,
    read: impl AsyncFn() -> Result<T>,
    is_wanted: impl Fn(&T) -> bool,
) -> Result<(T, Instant)> {
    let (mut last, mut moved) = (None, Instant::now());
    loop {
        let (value, now) = (read().await?, Instant::now());
        if is_wanted(&value) {
            return Ok((value, now));
        }
        if last != Some(value) {
            (last, moved) = (Some(value), now);
        }
        ensure!(moved.elapsed() < PATIENCE, "publisher or views make no progress: {value:?}");
        sleep(pause).await;
    }
}

pub async fn one(database: &Database, query: &'static str) -> Result<i64> {
    sqlx::query_scalar(query).fetch_one(&database.pool).await.with_context(|| query.to_owned())
}
