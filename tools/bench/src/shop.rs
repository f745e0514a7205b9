//! A shop to be measured: databases with products and customers in them, and
//! the services as a section wants them.

use crate::client::Connection;
use crate::closed_loop::{ClosedLoop, Until};
use crate::cpu::Part;
use crate::databases::{Database, Databases};
use crate::measured::Measured;
use crate::pgbench::insert_customers;
use crate::progress::{Progress, shown};
use crate::requests::{self, Orders, PRODUCTS};
use crate::servers::{NO_BROKER, Servers};
use crate::service::Service;
use anyhow::{Context, Result, bail, ensure};
use std::process::Command;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Views that do not move for so long stand still.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every run has a seed of its own, the same in every bench.
static RUNS: AtomicU64 = AtomicU64::new(1);

/// Databases, and how services are started on them.
#[derive(Clone, Debug)]
pub struct Shop {
    servers: Rc<Servers>,
    /// Its databases.
    pub databases: Databases,
}

/// A command service with the broker, and a consumer service.
#[derive(Debug)]
pub struct Pipeline {
    /// Takes commands.
    pub command: Service,
    /// Keeps the views.
    pub consumer: Service,
}

/// Orders that are placed as fast as they are answered.
#[derive(Clone, Copy, Debug)]
pub struct Placing<'a> {
    /// For people.
    pub name: &'a str,
    /// Connections.
    pub connections: usize,
    /// Products that are ordered: those with the lowest ids.
    pub products: u32,
    /// Before anything is measured.
    pub warm_up: Duration,
    /// When it ends.
    pub until: Until,
}

/// How many events there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Events {
    /// In the outbox and not published.
    pub unpublished: i64,
    /// Published.
    pub published: i64,
    /// Applied to the views.
    pub applied: i64,
}

impl Shop {
    /// A new shop: 10,000 products, created over HTTP so that the views know
    /// them, and the customers.
    ///
    /// # Errors
    /// If it cannot be made.
    pub async fn open(servers: &Rc<Servers>) -> Result<Self> {
        servers.delete_queues().await?;
        let shop = Self { servers: servers.clone(), databases: Databases::create(servers).await? };
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

    /// A shop whose databases are there already; its queues are made anew.
    ///
    /// # Errors
    /// If the broker does not delete the queues.
    pub async fn of(servers: &Rc<Servers>, databases: Databases) -> Result<Self> {
        servers.delete_queues().await?;
        Ok(Self { servers: servers.clone(), databases })
    }

    async fn create_products(&self, command: &mut Service) -> Result<()> {
        let creating = ClosedLoop {
            address: command.address("api").await?,
            connections: 64,
            warm_up: Duration::ZERO,
            until: Until::Count(PRODUCTS.into()),
            expected: 201,
        };
        let mut id = 0;
        let created = creating.run(|request| {
            id += 1;
            requests::product(request, id);
        });
        let created = created.await?;
        if let Some(flag) = created.flag() {
            bail!("products were not created: {flag}");
        }
        let highest: i64 =
            one(&self.databases.write, "SELECT coalesce(max(id), 0) FROM products").await?;
        // Orders name products by counting.
        ensure!(highest == i64::from(PRODUCTS), "the products' ids have gaps");
        Ok(())
    }

    /// Starts a command service, and waits until it is well.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn start_command(&self, broker: &str) -> Result<Service> {
        let mut command = self.spawn_command(broker)?;
        command.healthy().await?;
        Ok(command)
    }

    /// Starts a command service without a broker: its outbox only fills.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn start_paused_command(&self) -> Result<Service> {
        self.start_command(NO_BROKER).await
    }

    /// Starts a command service with the broker.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn_command(&self, broker: &str) -> Result<Service> {
        let url = self.databases.write.url();
        self.spawn("command-service", &[("DATABASE_URL", &url), ("BROKER_URL", broker)])
    }

    /// Starts a consumer service.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn_consumer(&self) -> Result<Service> {
        let url = self.databases.read.url();
        let settings = [("READ_DATABASE_URL", url.as_str()), ("BROKER_URL", &self.servers.broker)];
        self.spawn("consumer-service", &settings)
    }

    /// Starts a query service.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn spawn_query(&self) -> Result<Service> {
        let url = self.databases.read.url();
        self.spawn("query-service", &[("READ_DATABASE_URL", &url)])
    }

    /// Starts a query service, and waits until it is well.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn start_query(&self) -> Result<Service> {
        let mut query = self.spawn_query()?;
        query.healthy().await?;
        Ok(query)
    }

    /// Starts command and consumer service, and waits until both are well.
    ///
    /// # Errors
    /// If they do not come up.
    pub async fn start_pipeline(&self) -> Result<Pipeline> {
        let mut command = self.spawn_command(&self.servers.broker)?;
        let mut consumer = self.spawn_consumer()?;
        futures::future::try_join(command.healthy(), consumer.healthy()).await?;
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

    /// How many events there are: from the publisher's and the consumer's own
    /// counts, as counting rows would take time from what is measured.
    ///
    /// # Errors
    /// If a database does not tell.
    pub async fn events(&self) -> Result<Events> {
        let unpublished =
            one(&self.databases.write, "SELECT count(*) FROM outbox WHERE published_at IS NULL")
                .await?;
        Ok(Events {
            unpublished,
            published: self.published().await?,
            applied: self.applied().await?,
        })
    }

    /// How many events have been published.
    ///
    /// # Errors
    /// If the database does not tell.
    pub async fn published(&self) -> Result<i64> {
        one(&self.databases.write, "SELECT sum(published)::bigint FROM outbox_progress").await
    }

    /// How many events have been applied to the views.
    ///
    /// # Errors
    /// If the database does not tell.
    pub async fn applied(&self) -> Result<i64> {
        one(&self.databases.read, "SELECT events_applied FROM sync_status").await
    }

    /// Waits until every event is published and applied.
    ///
    /// # Errors
    /// If the views stand still.
    pub async fn caught_up(&self) -> Result<()> {
        let (mut before, mut moved) = (None, Instant::now());
        loop {
            let events = self.events().await?;
            if events.unpublished == 0 && events.applied >= events.published {
                return Ok(());
            }
            if before != Some(events) {
                (before, moved) = (Some(events), Instant::now());
            }
            ensure!(moved.elapsed() < PATIENCE, "the views stand still: {events:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until so many events are applied, asking every few milliseconds;
    /// gives the time at which they were.
    ///
    /// # Errors
    /// If the views stand still.
    pub async fn applied_until(&self, wanted: i64, pause: Duration) -> Result<Instant> {
        let (mut before, mut moved) = (0, Instant::now());
        loop {
            let applied = self.applied().await?;
            let now = Instant::now();
            if applied >= wanted {
                return Ok(now);
            }
            if applied != before {
                (before, moved) = (applied, now);
            }
            ensure!(moved.elapsed() < PATIENCE, "{applied} of {wanted} events applied, no more");
            sleep(pause).await;
        }
    }
}

impl Placing<'_> {
    /// Places orders, and shows it.
    ///
    /// # Errors
    /// If the service is gone, or answers do not come.
    pub async fn run(&self, command: &mut Service) -> Result<Measured> {
        let placing = ClosedLoop {
            address: command.address("api").await?,
            connections: self.connections,
            warm_up: self.warm_up,
            until: self.until,
            expected: 201,
        };
        let mut orders = self.orders();
        let progress = Progress::begin(self.name);
        let running = async {
            let measured = placing.run(|request| orders.write(request)).await?;
            progress.remark(format!("{:.0} orders/s", measured.rate()));
            Ok(measured)
        };
        progress.during(running).await
    }

    fn orders(&self) -> Orders {
        new_orders(self.products)
    }
}

/// Orders of a run of their own.
pub fn new_orders(products: u32) -> Orders {
    Orders::new(products, RUNS.fetch_add(1, Ordering::Relaxed))
}

/// One number of a database.
///
/// # Errors
/// If the database does not tell.
pub async fn one(database: &Database, query: &'static str) -> Result<i64> {
    sqlx::query_scalar(query).fetch_one(&database.pool).await.with_context(|| query.to_owned())
}

/// Waits until a path answers as expected, once.
///
/// # Errors
/// If it answers anything else.
pub async fn check_get(service: &mut Service, path: &str) -> Result<()> {
    let mut connection = Connection::open(service.address("api").await?).await?;
    let mut request = Vec::new();
    requests::get(&mut request, format_args!("{path}"));
    let answer = connection.exchange(&request).await.with_context(|| path.to_owned())?;
    ensure!(answer.status == 200, "{path} answers {}", answer.status);
    Ok(())
}
