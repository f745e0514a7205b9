//! Clients that send commands and queries during a scenario.

use super::client::{Addresses, Client};
use super::ledger::Ledger;
use crate::harness::{Shop, account, within};
use fastrand::Rng;
use reqwest::Method;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

/// Number of clients.
const CLIENTS: usize = 6;

/// Range of the interval between two actions of a client, in milliseconds.
const THINK_TIME: std::ops::Range<u64> = 4..10;

/// Deadline for anything that only a fault can delay.
pub const RECOVERY_DEADLINE: Duration = Duration::from_secs(150);

/// The clients of a scenario.
#[derive(Debug)]
pub struct Load {
    /// The responses that they got.
    pub ledger: Arc<Ledger>,
    /// The addresses of the services.
    pub addresses: Arc<Addresses>,
    phase: watch::Sender<Phase>,
    idle: Arc<AtomicUsize>,
    clients: JoinSet<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Busy,
    Paused,
    Ended,
}

/// The products.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// Popular products.
    pub hot: Vec<i64>,
    /// Other products.
    pub cold: Vec<i64>,
    /// A product with too little stock.
    pub scarce: i64,
}

impl Catalogue {
    /// Creates the products.
    pub async fn create(shop: &Shop, ledger: &Ledger) -> Self {
        let product = async |category: &str, price: &str, stock| {
            let id = shop.product(category, price, stock).await;
            ledger.entries().products.insert(id, Some(stock.into()));
            id
        };
        let hot =
            vec![product("Hot", "4.5", 1_000_000).await, product("Hot", "0.01", 500_000).await];
        let mut cold = Vec::new();
        for number in 0..8 {
            cold.push(product("Cold", &format!("{number}.25"), 100_000).await);
        }
        Self { hot, cold, scarce: product("Scarce", "99.9999", 40).await }
    }
}

impl Load {
    /// Starts the clients.
    pub fn start(
        addresses: Addresses,
        catalogue: &Catalogue,
        ledger: Arc<Ledger>,
        random: &mut Rng,
    ) -> Self {
        let mut load = Self {
            ledger,
            addresses: Arc::new(addresses),
            phase: watch::Sender::new(Phase::Busy),
            idle: Arc::default(),
            clients: JoinSet::new(),
        };
        for number in 0..CLIENTS {
            let client = load.client(format!("client-{number}"), random.fork());
            let shopper = Shopper { client, catalogue: catalogue.clone(), orders: Vec::new() };
            let shopping = shopper.shop(load.phase.subscribe(), load.idle.clone());
            load.clients.spawn(shopping);
        }
        load
    }

    /// Another client, for the orders of the scenario itself.
    pub fn client(&self, name: String, random: Rng) -> Client {
        Client::new(name, self.addresses.clone(), self.ledger.clone(), random)
    }

    /// Waits until this many further orders are accepted.
    pub async fn wait_for_orders(&self, orders: usize) {
        let placed = || self.ledger.entries().orders.len();
        let before = placed();
        within(RECOVERY_DEADLINE, async || {
            let now = placed() - before;
            if now >= orders { Ok(()) } else { Err(format!("{now} of {orders} orders accepted")) }
        })
        .await;
    }

    /// Pauses the clients after their current requests.
    pub async fn pause(&self) {
        self.phase.send_replace(Phase::Paused);
        within(RECOVERY_DEADLINE, async || {
            let idle = self.idle.load(Ordering::SeqCst);
            if idle == CLIENTS {
                Ok(())
            } else {
                Err(format!("{idle} of {CLIENTS} clients are idle"))
            }
        })
        .await;
    }

    /// Continues the clients.
    pub fn resume(&self) {
        self.phase.send_replace(Phase::Busy);
    }

    /// Ends the clients after their current requests.
    pub async fn end(&mut self) {
        self.phase.send_replace(Phase::Ended);
        while let Some(client) = self.clients.join_next().await {
            client.unwrap();
        }
    }
}

/// A client with its products and orders.
struct Shopper {
    client: Client,
    catalogue: Catalogue,
    /// Each with one of its products.
    orders: Vec<(i64, i64)>,
}

impl Shopper {
    async fn shop(mut self, mut phase: watch::Receiver<Phase>, idle: Arc<AtomicUsize>) {
        let think_time = Duration::from_millis(self.client.random.u64(THINK_TIME));
        let mut pace = interval(think_time);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            let now = *phase.borrow_and_update();
            match now {
                Phase::Ended => return,
                Phase::Paused => {
                    idle.fetch_add(1, Ordering::SeqCst);
                    let continues = phase.wait_for(|phase| *phase != Phase::Paused).await.is_ok();
                    idle.fetch_sub(1, Ordering::SeqCst);
                    if !continues {
                        return;
                    }
                }
                Phase::Busy => self.act().await,
            }
        }
    }

    async fn act(&mut self) {
        match self.client.random.u32(..100) {
            0..60 => self.order().await,
            60..72 => self.change_status().await,
            72..77 => self.refund().await,
            77..84 => self.change_price().await,
            84..90 => self.create_user().await,
            90..92 => self.create_product().await,
            _ => self.read().await,
        }
    }

    async fn order(&mut self) {
        let customer = self.client.random.i64(1..2_000);
        let mut product = 0;
        let lines: Vec<String> = (0..self.client.random.u32(1..5))
            .map(|_| {
                product = self.any_product();
                let quantity = self.client.random.i32(1..4);
                format!(r#"{{"productId":{product},"quantity":{quantity}}}"#)
            })
            .collect();
        let body = format!(r#"{{"customerId":{customer},"items":[{}]}}"#, lines.join(","));
        let order = place(&mut self.client, customer, &body).await;
        self.orders.extend(order.map(|order| (order, product)));
    }

    fn any_product(&mut self) -> i64 {
        let Catalogue { hot, cold, scarce } = &self.catalogue;
        let random = &mut self.client.random;
        match random.u32(..100) {
            0..3 => *scarce,
            3..50 => hot[random.usize(..hot.len())],
            _ => cold[random.usize(..cold.len())],
        }
    }

    async fn change_status(&mut self) {
        let random = &mut self.client.random;
        let Some((order, _)) = random.choice(&self.orders) else { return };
        let statuses = ["PAID", "SHIPPED", "DELIVERED", "CANCELLED", "CANCELLED", "REFUNDED"];
        let body = format!(r#"{{"status":"{}"}}"#, statuses[random.usize(..statuses.len())]);
        let path = format!("/api/orders/{order}/status");
        // 409: the order lifecycle forbids the transition.
        self.command(Method::PUT, &path, &body, &[200, 409]).await;
    }

    async fn refund(&mut self) {
        let random = &mut self.client.random;
        let Some(&(order, product)) = random.choice(&self.orders) else { return };
        let what = if random.bool() {
            format!(r#""items":[{{"productId":{product},"quantity":1}}]"#)
        } else {
            format!(r#""amount":0.{:04}"#, random.u32(1..10_000))
        };
        refund(&mut self.client, order, &what).await;
    }

    async fn change_price(&mut self) {
        let product = self.any_product();
        let body = format!(r#"{{"price":{}.{:02}}}"#, product, self.client.random.u32(..100));
        self.command(Method::PUT, &format!("/api/products/{product}/price"), &body, &[200]).await;
    }

    async fn create_user(&mut self) {
        let name = self.client.fresh_name();
        let body = format!(r#"{{"name":"{name}","email":"{name}@example.com"}}"#);
        let Some(user) = self.command(Method::POST, "/api/users", &body, &[201]).await else {
            return;
        };
        self.client.ledger.entries().users += 1;
        let body = account(user, "1 Main Street");
        self.command(Method::POST, "/api/accounts", &body, &[201]).await;
    }

    async fn create_product(&mut self) {
        let name = self.client.fresh_name();
        let body = format!(r#"{{"name":"{name}","category":"New","price":1.5}}"#);
        let product = self.command(Method::POST, "/api/products", &body, &[201]).await;
        self.client.ledger.entries().products.extend(product.map(|id| (id, None)));
    }

    async fn read(&mut self) {
        let path = match self.client.random.u32(..4) {
            0 => format!("/api/products/{}", self.any_product()),
            1 => format!("/api/analytics/products/{}/sales", self.any_product()),
            2 => "/api/orders?limit=20".to_owned(),
            _ => "/api/analytics/sync-status".to_owned(),
        };
        self.client.read(&path).await;
    }

    /// Sends a command and returns the id in the response. Another status than the expected ones
    /// is a violation.
    async fn command(
        &mut self,
        method: Method,
        path: &str,
        body: &str,
        expected: &[u16],
    ) -> Option<i64> {
        let response = self.client.send(method, path, body).await?;
        if expected.contains(&response.status) {
            return response.body["id"].as_i64();
        }
        let text = format!("{path} with {body}: {} {}", response.status, response.text);
        self.client.ledger.violation(text);
        None
    }
}

/// Places an order and returns its id, if it is accepted.
pub async fn place(client: &mut Client, customer: i64, body: &str) -> Option<i64> {
    let response = client.send(Method::POST, "/api/orders", body).await?;
    match (response.status, response.error()) {
        (201, _) => {
            let id = response.integer("orderId");
            client.ledger.entries().orders.push((id, customer));
            Some(id)
        }
        (400, "Insufficient stock") => None,
        _ => {
            let text = format!("order {body}: {} {}", response.status, response.text);
            client.ledger.violation(text);
            None
        }
    }
}

/// Refunds units or an amount of an order, and returns the id of the refund, if it is accepted.
pub async fn refund(client: &mut Client, order: i64, what: &str) -> Option<i64> {
    let path = format!("/api/orders/{order}/refunds");
    // The reason distinguishes it from refunds by status changes.
    let body = format!(r#"{{{what},"reason":"a refund"}}"#);
    let response = client.send(Method::POST, &path, &body).await?;
    match response.status {
        201 => {
            let id = response.integer("refundId");
            client.ledger.entries().refunds.push((id, order));
            Some(id)
        }
        // Not paid, cancelled, or nothing left.
        409 => None,
        _ => {
            let text = format!("{path} with {body}: {} {}", response.status, response.text);
            client.ledger.violation(text);
            None
        }
    }
}
