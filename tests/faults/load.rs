//! What goes on in a shop while something breaks.

use super::client::{Client, Doors};
use super::ledger::Ledger;
use crate::harness::{Shop, within};
use fastrand::Rng;
use reqwest::Method;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How many clients there are.
const CLIENTS: usize = 6;

/// How long something may take that only a fault can hold up.
pub const PATIENCE: Duration = Duration::from_secs(150);

/// Clients that order, change their minds, sign up and look, until told to end.
#[derive(Debug)]
pub struct Load {
    /// What they have been told.
    pub ledger: Arc<Ledger>,
    /// Where they find the services.
    pub doors: Arc<Doors>,
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

/// What there is to buy.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// Everybody wants these.
    pub hot: Vec<i64>,
    /// These are wanted now and then.
    pub cold: Vec<i64>,
    /// Of this one there is too little for all.
    pub scarce: i64,
}

impl Catalogue {
    /// Fills an open shop.
    pub async fn create(shop: &Shop, ledger: &Ledger) -> Self {
        let product = async |category: &str, price: &str, stock| {
            let id = shop.product(category, price, stock).await;
            ledger.books().products.insert(id, Some(stock.into()));
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
    /// Lets clients into a shop.
    pub fn start(
        doors: Doors,
        catalogue: &Catalogue,
        ledger: Arc<Ledger>,
        random: &mut Rng,
    ) -> Self {
        let mut load = Self {
            ledger,
            doors: Arc::new(doors),
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

    /// One more client, for the scenario's own orders.
    pub fn client(&self, name: String, random: Rng) -> Client {
        Client::new(name, self.doors.clone(), self.ledger.clone(), random)
    }

    /// Waits until so many more orders were answered 201.
    pub async fn answered(&self, orders: usize) {
        let placed = || self.ledger.books().orders.len();
        let before = placed();
        within(PATIENCE, async || {
            let now = placed() - before;
            if now >= orders { Ok(()) } else { Err(format!("{now} of {orders} orders answered")) }
        })
        .await;
    }

    /// Lets the clients rest, when they have had their responses.
    pub async fn pause(&self) {
        self.phase.send_replace(Phase::Paused);
        within(PATIENCE, async || {
            let idle = self.idle.load(Ordering::SeqCst);
            if idle == CLIENTS { Ok(()) } else { Err(format!("{idle} of {CLIENTS} rest")) }
        })
        .await;
    }

    /// Lets them go on.
    pub fn resume(&self) {
        self.phase.send_replace(Phase::Busy);
    }

    /// Sends the clients home, when they have had their responses.
    pub async fn end(&mut self) {
        self.phase.send_replace(Phase::Ended);
        while let Some(client) = self.clients.join_next().await {
            client.unwrap();
        }
    }
}

/// A client who shops.
struct Shopper {
    client: Client,
    catalogue: Catalogue,
    orders: Vec<i64>,
}

impl Shopper {
    async fn shop(mut self, mut phase: watch::Receiver<Phase>, idle: Arc<AtomicUsize>) {
        loop {
            let now = *phase.borrow_and_update();
            match now {
                Phase::Ended => return,
                Phase::Paused => {
                    idle.fetch_add(1, Ordering::SeqCst);
                    let woken = phase.wait_for(|phase| *phase != Phase::Paused).await.is_ok();
                    idle.fetch_sub(1, Ordering::SeqCst);
                    if !woken {
                        return;
                    }
                }
                Phase::Busy => self.act().await,
            }
            // People think, and the machine has other work.
            let thinking = Duration::from_millis(self.client.random.u64(2..12));
            tokio::time::sleep(thinking).await;
        }
    }

    async fn act(&mut self) {
        match self.client.random.u32(..100) {
            0..65 => self.order().await,
            65..77 => self.change_status().await,
            77..84 => self.change_price().await,
            84..90 => self.sign_up().await,
            90..92 => self.create_product().await,
            _ => self.look().await,
        }
    }

    async fn order(&mut self) {
        let customer = self.client.random.i64(1..2_000);
        let lines: Vec<String> = (0..self.client.random.u32(1..5))
            .map(|_| {
                let (product, quantity) = (self.any_product(), self.client.random.i32(1..4));
                format!(r#"{{"productId":{product},"quantity":{quantity}}}"#)
            })
            .collect();
        let body = format!(r#"{{"customerId":{customer},"items":[{}]}}"#, lines.join(","));
        self.orders.extend(place(&mut self.client, customer, &body).await);
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
        let Some(order) = random.choice(&self.orders) else { return };
        let wanted = ["PAID", "SHIPPED", "DELIVERED", "CANCELLED", "CANCELLED", "REFUNDED"];
        let body = format!(r#"{{"status":"{}"}}"#, wanted[random.usize(..wanted.len())]);
        let path = format!("/api/orders/{order}/status");
        // 409: the life of an order forbids it.
        self.command(Method::PUT, &path, &body, &[200, 409]).await;
    }

    async fn change_price(&mut self) {
        let product = self.any_product();
        let body = format!(r#"{{"price":{}.{:02}}}"#, product, self.client.random.u32(..100));
        self.command(Method::PUT, &format!("/api/products/{product}/price"), &body, &[200]).await;
    }

    async fn sign_up(&mut self) {
        let name = self.client.fresh_name();
        let body = format!(r#"{{"name":"{name}","email":"{name}@example.com"}}"#);
        let Some(user) = self.command(Method::POST, "/api/users", &body, &[201]).await else {
            return;
        };
        self.client.ledger.books().users += 1;
        let body = format!(
            r#"{{"userId":{user},"address1":"1 Main Street","city":"A","state":"B","zip":"C"}}"#
        );
        self.command(Method::POST, "/api/accounts", &body, &[201]).await;
    }

    async fn create_product(&mut self) {
        let name = self.client.fresh_name();
        let body = format!(r#"{{"name":"{name}","category":"New","price":1.5}}"#);
        let product = self.command(Method::POST, "/api/products", &body, &[201]).await;
        self.client.ledger.books().products.extend(product.map(|id| (id, None)));
    }

    async fn look(&mut self) {
        let path = match self.client.random.u32(..4) {
            0 => format!("/api/products/{}", self.any_product()),
            1 => format!("/api/analytics/products/{}/sales", self.any_product()),
            2 => "/api/orders?limit=20".to_owned(),
            _ => "/api/analytics/sync-status".to_owned(),
        };
        self.client.read(&path).await;
    }

    /// Sends a command; gives the id in the response, if it is one of these.
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

/// Places an order until it is answered for good; gives its id, if it was placed.
pub async fn place(client: &mut Client, customer: i64, body: &str) -> Option<i64> {
    let response = client.send(Method::POST, "/api/orders", body).await?;
    match (response.status, response.error()) {
        (201, _) => {
            let id = response.integer("orderId");
            client.ledger.books().orders.push((id, customer));
            Some(id)
        }
        (400, "Insufficient stock") => None,
        _ => {
            let text = format!("an order {body}: {} {}", response.status, response.text);
            client.ledger.violation(text);
            None
        }
    }
}
