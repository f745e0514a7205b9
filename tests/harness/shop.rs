//! A whole shop: databases, broker and services.

use super::broker::Broker;
use super::database::Databases;
use super::free_port::free_port;
use super::http::{Response, client, json};
use super::link::Link;
use super::process::Service;
use super::servers::Servers;
use super::wait::{DEADLINE, eventually, within};
use reqwest::{Client, Method};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A shop of a test's own.
#[derive(Debug)]
pub struct Shop {
    /// Its databases.
    pub databases: Databases,
    /// Its virtual host.
    pub broker: Broker,
    /// The command service.
    pub command: Service,
    /// The consumer service.
    pub consumer: Service,
    /// The query service.
    pub query: Service,
    client: Client,
    ports: ServerPorts,
    logs: Option<PathBuf>,
    settings: Settings,
}

/// Settings of services beside their addresses.
type Settings = Vec<(&'static str, String)>;

/// The ports at which the services reach the servers: their own, or those of links.
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
    /// Without links.
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

/// A link between every two parts of a shop.
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
    /// Links that are down for now.
    pub fn to(servers: &Servers) -> Self {
        Self {
            command_write: Link::to(servers.write_port()),
            command_broker: Link::to(servers.broker_port()),
            consumer_broker: Link::to(servers.broker_port()),
            consumer_read: Link::to(servers.read_port()),
            query_read: Link::to(servers.read_port()),
        }
    }

    /// Each with its name.
    pub fn all(&self) -> [(&'static str, &Link); 5] {
        [
            ("command to write database", &self.command_write),
            ("command to broker", &self.command_broker),
            ("consumer to broker", &self.consumer_broker),
            ("consumer to read database", &self.consumer_read),
            ("query to read database", &self.query_read),
        ]
    }

    /// Lets all through.
    pub async fn open(&self) {
        for (_, link) in self.all() {
            link.open().await;
        }
    }

    /// The way through the links.
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

impl Shop {
    /// A shop that is open: all services are well.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same, with settings for all services besides.
    pub async fn start_with(settings: &[(&'static str, &str)]) -> Self {
        let servers = Servers::of_environment();
        let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let shop =
            Self::set_up(&servers, ServerPorts::direct(&servers), None, settings.collect()).await;
        for service in [&shop.command, &shop.consumer, &shop.query] {
            service.healthy().await;
        }
        shop
    }

    /// A shop whose services go where the ports leads, and were just started. Their
    /// logs are kept in the folder, if there is one.
    pub async fn spawn(servers: &Servers, ports: ServerPorts, logs: Option<&Path>) -> Self {
        Self::set_up(servers, ports, logs, Vec::new()).await
    }

    async fn set_up(
        servers: &Servers,
        ports: ServerPorts,
        logs: Option<&Path>,
        settings: Settings,
    ) -> Self {
        let (databases, broker) = (Databases::create(servers).await, Broker::create(servers).await);
        let command = command_service(&databases, &broker, ports, logs, &settings);
        let consumer = consumer_service(&databases, &broker, ports, logs, &settings);
        let query = query_service(&databases, ports, logs, &settings);
        let (client, logs) = (client(), logs.map(Path::to_owned));
        Self { databases, broker, command, consumer, query, client, ports, logs, settings }
    }

    /// One more command service beside the first.
    pub fn another_command_service(&self) -> Service {
        let logs = self.logs.as_deref();
        command_service(&self.databases, &self.broker, self.ports, logs, &self.settings)
    }

    /// One more consumer service beside the first.
    pub fn another_consumer_service(&self) -> Service {
        let logs = self.logs.as_deref();
        consumer_service(&self.databases, &self.broker, self.ports, logs, &self.settings)
    }

    /// One more query service beside the first.
    pub fn another_query_service(&self) -> Service {
        query_service(&self.databases, self.ports, self.logs.as_deref(), &self.settings)
    }

    /// `POST` to the command service.
    pub async fn post(&self, path: &str, body: &str) -> Response {
        self.command(Method::POST, path, body).await
    }

    /// Any method to the command service.
    pub async fn command(&self, method: Method, path: &str, body: &str) -> Response {
        let url = format!("http://{}{path}", self.command.address("api").await);
        Response::to(json(&self.client, method, url, body)).await.unwrap()
    }

    /// `GET` from the query service.
    pub async fn get(&self, path: &str) -> Response {
        let url = format!("http://{}{path}", self.query.address("api").await);
        Response::to(self.client.get(url)).await.unwrap()
    }

    /// Waits until a query finds what it asks for.
    pub async fn wait_until_found(&self, path: &str) {
        eventually(async || {
            let response = self.get(path).await;
            if response.status == 200 { Ok(()) } else { Err(response.text) }
        })
        .await;
    }

    /// Creates a product; returns its id.
    pub async fn product(&self, category: &str, price: &str, stock: i32) -> i64 {
        let body = format!(
            r#"{{"name":"A {category}","category":"{category}","price":{price},"stock":{stock}}}"#
        );
        let created = self.post("/api/products", &body).await;
        assert_eq!(created.status, 201, "{}", created.text);
        created.integer("productId")
    }

    /// Orders pieces of a product.
    pub async fn order(&self, customer: i64, product: i64, quantity: i32) -> Response {
        self.post("/api/orders", &order(customer, product, quantity)).await
    }

    /// Waits until every committed event has been published and applied, and
    /// the query service says so.
    pub async fn caught_up(&self) {
        self.caught_up_within(DEADLINE).await;
    }

    /// The same with a deadline of its own.
    pub async fn caught_up_within(&self, deadline: Duration) {
        within(deadline, async || {
            let committed = "SELECT count(*) FROM outbox";
            let unpublished = "SELECT count(*) FROM outbox WHERE published_at IS NULL";
            // Servers may be on their way back.
            let away = |error: sqlx::Error| error.to_string();
            let committed = self.databases.try_query_write(committed).await.map_err(away)?;
            let unpublished = self.databases.try_query_write(unpublished).await.map_err(away)?;
            let status = self.get("/api/analytics/sync-status").await;
            let applied = status.body["eventsApplied"].as_i64().unwrap_or_default();
            let lag = status.body["lagSeconds"].as_i64();
            if unpublished == 0 && applied >= committed && lag == Some(0) {
                Ok(())
            } else {
                Err(format!("{committed} committed, {unpublished} unpublished, {}", status.text))
            }
        })
        .await;
    }

    /// Closes the shop for good.
    pub async fn stop(self) {
        let Self { databases, broker, command, consumer, query, .. } = self;
        drop((command, consumer, query));
        databases.delete().await;
        broker.delete().await;
    }
}

/// The body of an order of one line, at the catalogue's price.
pub fn order(customer: i64, product: i64, quantity: i32) -> String {
    format!(
        r#"{{"customerId":{customer},"items":[{{"productId":{product},"quantity":{quantity}}}]}}"#
    )
}

// Services have ports of their own, so that they are found again after a restart.

fn command_service(
    databases: &Databases,
    broker: &Broker,
    ports: ServerPorts,
    logs: Option<&Path>,
    others: &Settings,
) -> Service {
    let mut settings = vec![
        ("DATABASE_URL", databases.command_url(ports.command_write)),
        ("BROKER_URL", broker.url_as("command-service", ports.command_broker)),
        ("COMMAND_SERVICE_PORT", free_port().to_string()),
    ];
    settings.extend_from_slice(others);
    Service::start("command-service", settings, logs)
}

fn consumer_service(
    databases: &Databases,
    broker: &Broker,
    ports: ServerPorts,
    logs: Option<&Path>,
    others: &Settings,
) -> Service {
    let mut settings = vec![
        ("READ_DATABASE_URL", databases.consumer_url(ports.consumer_read)),
        ("BROKER_URL", broker.url_as("consumer-service", ports.consumer_broker)),
    ];
    settings.extend_from_slice(others);
    Service::start("consumer-service", settings, logs)
}

fn query_service(
    databases: &Databases,
    ports: ServerPorts,
    logs: Option<&Path>,
    others: &Settings,
) -> Service {
    let mut settings = vec![
        ("READ_DATABASE_URL", databases.query_url(ports.query_read)),
        ("QUERY_SERVICE_PORT", free_port().to_string()),
    ];
    settings.extend_from_slice(others);
    Service::start("query-service", settings, logs)
}
