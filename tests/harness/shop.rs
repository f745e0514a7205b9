//! A whole shop: databases, broker and services.

use super::broker::Broker;
use super::database::Databases;
use super::http::{Answer, client, json};
use super::process::Service;
use super::wait::eventually;
use reqwest::{Client, Method};

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
}

/// Ports of links that the services go through, instead of going directly.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wiring {
    /// To the write database.
    pub write: Option<u16>,
    /// To the read database.
    pub read: Option<u16>,
    /// To the broker.
    pub broker: Option<u16>,
}

impl Shop {
    /// A shop that is open: all services are well.
    pub async fn open() -> Self {
        let shop = Self::wired(Wiring::default()).await;
        for service in [&shop.command, &shop.consumer, &shop.query] {
            service.healthy().await;
        }
        shop
    }

    /// A shop whose services go through links, and were just started.
    pub async fn wired(wiring: Wiring) -> Self {
        let databases = Databases::create().await;
        let broker = Broker::create().await;
        let command = Self::command_service(&databases, &broker, wiring);
        let read_url = databases.read_url(wiring.read);
        let consumer = Service::start(
            "consumer-service",
            vec![
                ("READ_DATABASE_URL", read_url.clone()),
                ("BROKER_URL", broker.url(wiring.broker)),
            ],
        );
        let query = Service::start("query-service", vec![("READ_DATABASE_URL", read_url)]);
        Self { databases, broker, command, consumer, query, client: client() }
    }

    /// One more command service beside the first.
    pub fn another_command_service(&self) -> Service {
        Self::command_service(&self.databases, &self.broker, Wiring::default())
    }

    fn command_service(databases: &Databases, broker: &Broker, wiring: Wiring) -> Service {
        let settings = vec![
            ("DATABASE_URL", databases.write_url(wiring.write)),
            ("BROKER_URL", broker.url(wiring.broker)),
        ];
        Service::start("command-service", settings)
    }

    /// `POST` to the command service.
    pub async fn post(&self, path: &str, body: &str) -> Answer {
        self.command(Method::POST, path, body).await
    }

    /// Any method to the command service.
    pub async fn command(&self, method: Method, path: &str, body: &str) -> Answer {
        let url = format!("http://{}{path}", self.command.address("api").await);
        Answer::to(json(&self.client, method, url, body)).await.unwrap()
    }

    /// `GET` from the query service.
    pub async fn get(&self, path: &str) -> Answer {
        let url = format!("http://{}{path}", self.query.address("api").await);
        Answer::to(self.client.get(url)).await.unwrap()
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
    pub async fn order(&self, customer: i64, product: i64, quantity: i32) -> Answer {
        self.post("/api/orders", &order(customer, product, quantity)).await
    }

    /// Waits until every committed event has been published and applied, and
    /// the query service says so.
    pub async fn caught_up(&self) {
        eventually(async || {
            let committed = self.databases.written("SELECT count(*) FROM outbox").await;
            let unpublished = self
                .databases
                .written("SELECT count(*) FROM outbox WHERE published_at IS NULL")
                .await;
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
    pub async fn close(self) {
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
