//! A complete system under test: databases, virtual host and services.

use super::broker::Broker;
use super::database::{Databases, UNPUBLISHED};
use super::free_port::free_port;
use super::http::{Response, client, json};
use super::links::{Links, ServerPorts};
use super::process::Service;
use super::servers::Servers;
use super::wait::{DEADLINE, eventually, within};
use reqwest::{Client, Method};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A system under test. Each test has its own.
#[derive(Debug)]
pub struct Shop {
    /// The databases.
    pub databases: Databases,
    /// The virtual host.
    pub broker: Broker,
    /// The command service.
    pub command: Service,
    /// The consumer service.
    pub consumer: Service,
    /// The query service.
    pub query: Service,
    client: Client,
    launcher: Launcher,
}

impl Shop {
    /// Starts a shop and waits until all services are healthy.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with settings for all services.
    pub async fn start_with(settings: &[(&'static str, &str)]) -> Self {
        let servers = Servers::of_environment();
        let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let ports = ServerPorts::direct(&servers);
        let shop = Self::launch(&servers, Launcher { ports, logs: None, settings }).await;
        shop.healthy().await;
        shop
    }

    /// The same with links between services and servers.
    pub async fn start_with_links() -> (Self, Links) {
        let servers = Servers::of_environment();
        let links = Links::to(&servers);
        links.open().await;
        let shop = Self::spawn(&servers, links.ports(), None).await;
        shop.healthy().await;
        (shop, links)
    }

    /// Starts a shop whose services reach the servers through these ports, and does not wait
    /// for its health. The services' logs are kept in the folder, if there is one.
    pub async fn spawn(servers: &Servers, ports: ServerPorts, logs: Option<&Path>) -> Self {
        let logs = logs.map(Path::to_owned);
        Self::launch(servers, Launcher { ports, logs, settings: Vec::new() }).await
    }

    async fn launch(servers: &Servers, launcher: Launcher) -> Self {
        let (databases, broker) = (Databases::create(servers).await, Broker::create(servers).await);
        let command = launcher.command_service(&databases, &broker);
        let consumer = launcher.consumer_service(&databases, &broker);
        let query = launcher.query_service(&databases);
        Self { databases, broker, command, consumer, query, client: client(), launcher }
    }

    /// The three services.
    pub fn services(&self) -> [&Service; 3] {
        [&self.command, &self.consumer, &self.query]
    }

    /// The same, mutable.
    pub fn services_mut(&mut self) -> [&mut Service; 3] {
        [&mut self.command, &mut self.consumer, &mut self.query]
    }

    /// Waits until all services are healthy.
    pub async fn healthy(&self) {
        for service in self.services() {
            service.healthy().await;
        }
    }

    /// Kills all services, starts them with further settings, and waits until they are
    /// healthy.
    pub async fn restart_with(&mut self, settings: &[(&'static str, &str)]) {
        for service in self.services_mut() {
            service.restart_with(settings);
        }
        self.healthy().await;
    }

    /// Starts another command service.
    pub fn another_command_service(&self) -> Service {
        self.launcher.command_service(&self.databases, &self.broker)
    }

    /// Starts another consumer service.
    pub fn another_consumer_service(&self) -> Service {
        self.launcher.consumer_service(&self.databases, &self.broker)
    }

    /// Starts another query service.
    pub fn another_query_service(&self) -> Service {
        self.launcher.query_service(&self.databases)
    }

    /// `POST` to the command service.
    pub async fn post(&self, path: &str, body: &str) -> Response {
        self.command(Method::POST, path, body).await
    }

    /// `POST` to the command service with further headers.
    pub async fn post_with(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> Response {
        let url = self.command.url("api", path).await;
        let mut request = json(&self.client, Method::POST, url, body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Response::to(request).await.unwrap()
    }

    /// A request with any method to the command service.
    pub async fn command(&self, method: Method, path: &str, body: &str) -> Response {
        let url = self.command.url("api", path).await;
        Response::to(json(&self.client, method, url, body)).await.unwrap()
    }

    /// `GET` from the query service.
    pub async fn get(&self, path: &str) -> Response {
        let url = self.query.url("api", path).await;
        Response::to(self.client.get(url)).await.unwrap()
    }

    /// Repeats a query until its response meets a condition.
    pub async fn get_until(&self, path: &str, condition: impl Fn(&Response) -> bool) -> Response {
        eventually(async || self.get(path).await.ok_if(&condition)).await
    }

    /// Repeats a query until its status is 200.
    pub async fn wait_until_found(&self, path: &str) {
        self.get_until(path, |response| response.status == 200).await;
    }

    /// Creates a product and returns its id.
    pub async fn product(&self, category: &str, price: &str, stock: i32) -> i64 {
        let body = format!(
            r#"{{"name":"A {category}","category":"{category}","price":{price},"stock":{stock}}}"#
        );
        let created = self.post("/api/products", &body).await;
        created.assert_status(201);
        created.integer("productId")
    }

    /// Creates a user.
    pub async fn user(&self, name: &str, email: &str) -> Response {
        self.post("/api/users", &format!(r#"{{"name":"{name}","email":"{email}"}}"#)).await
    }

    /// Places an order with one line.
    pub async fn order(&self, customer: i64, product: i64, quantity: i32) -> Response {
        self.post("/api/orders", &order(customer, product, quantity)).await
    }

    /// Places an order that must be accepted, and returns its id.
    pub async fn place_order(&self, customer: i64, product: i64, quantity: i32) -> i64 {
        let placed = self.order(customer, product, quantity).await;
        placed.assert_status(201);
        placed.integer("orderId")
    }

    /// Repeats an order until it is accepted.
    pub async fn wait_until_accepted(&self, customer: i64, product: i64) {
        eventually(async || {
            self.order(customer, product, 1).await.ok_if(|response| response.status == 201)
        })
        .await;
    }

    /// Changes the status of an order.
    pub async fn set_status(&self, order: i64, status: &str) -> Response {
        let path = format!("/api/orders/{order}/status");
        self.command(Method::PUT, &path, &format!(r#"{{"status":"{status}"}}"#)).await
    }

    /// Changes the price of a product.
    pub async fn set_price(&self, product: i64, price: f64) -> Response {
        let path = format!("/api/products/{product}/price");
        self.command(Method::PUT, &path, &format!(r#"{{"price":{price}}}"#)).await
    }

    /// Waits until every committed event is published and applied, and the query service
    /// reports no lag.
    pub async fn caught_up(&self) {
        self.caught_up_within(DEADLINE).await;
    }

    /// The same with another deadline.
    pub async fn caught_up_within(&self, deadline: Duration) {
        within(deadline, async || {
            // Servers may be unavailable.
            let query = async |sql| {
                self.databases.try_query_write(sql).await.map_err(|error| error.to_string())
            };
            let committed = query("SELECT count(*) FROM outbox").await?;
            let unpublished = query(UNPUBLISHED).await?;
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

    /// Kills the services and deletes databases and virtual host.
    pub async fn stop(self) {
        let Self { databases, broker, command, consumer, query, .. } = self;
        drop((command, consumer, query));
        databases.delete().await;
        broker.delete().await;
    }
}

/// The body of an order with one line, at the catalogue price.
pub fn order(customer: i64, product: i64, quantity: i32) -> String {
    format!(
        r#"{{"customerId":{customer},"items":[{{"productId":{product},"quantity":{quantity}}}]}}"#
    )
}

/// The body of an account.
pub fn account(user: i64, address: &str) -> String {
    format!(r#"{{"userId":{user},"address1":"{address}","city":"Ely","state":"MN","zip":"55731"}}"#)
}

/// How the services of a shop are started.
#[derive(Debug)]
struct Launcher {
    ports: ServerPorts,
    logs: Option<PathBuf>,
    /// Settings of all services, other than addresses.
    settings: Vec<(&'static str, String)>,
}

// API ports are chosen before the start, so that they stay the same after a restart.
impl Launcher {
    fn command_service(&self, databases: &Databases, broker: &Broker) -> Service {
        let settings = [
            ("DATABASE_URL", databases.url_through("command_service", self.ports.command_write)),
            ("BROKER_URL", broker.url_as("command-service", self.ports.command_broker)),
            ("COMMAND_SERVICE_PORT", free_port().to_string()),
        ];
        self.start("command-service", &settings)
    }

    fn consumer_service(&self, databases: &Databases, broker: &Broker) -> Service {
        let database = databases.url_through("consumer_service", self.ports.consumer_read);
        let settings = [
            ("READ_DATABASE_URL", database),
            ("BROKER_URL", broker.url_as("consumer-service", self.ports.consumer_broker)),
        ];
        self.start("consumer-service", &settings)
    }

    fn query_service(&self, databases: &Databases) -> Service {
        let settings = [
            ("READ_DATABASE_URL", databases.url_through("query_service", self.ports.query_read)),
            ("QUERY_SERVICE_PORT", free_port().to_string()),
        ];
        self.start("query-service", &settings)
    }

    fn start(&self, name: &'static str, addresses: &[(&'static str, String)]) -> Service {
        Service::start(name, [addresses, &self.settings].concat(), self.logs.as_deref())
    }
}
