//! Every view agrees exactly with the write database after random commands, and redelivered
//! events change nothing.

use crate::harness::database::DEAD_LETTERS;
use crate::harness::{Shop, account, assert_views_agree, views};
use lapin::BasicProperties;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use reqwest::Method;
use shared_events::Topic;
use shared_events::topology::EXCHANGE;

const ORDERS: usize = 2_000;
const CHANGES: usize = 3_000;
const CLIENTS: usize = 32;

/// Expected status code and error, and the body of a request.
type Case = (u16, &'static str, String);

/// Valid and invalid orders. Products 1 to 19 have ample stock, product 20 has little.
fn cases() -> impl Strategy<Value = Case> {
    let price = prop_oneof![
        Just(String::new()),
        (0..100_000_u32, 0..10_000_u32).prop_map(|(n, d)| format!(r#","price":{n}.{d:04}"#)),
    ];
    let line = (1..20_i64, 1..5_i32, price)
        .prop_map(|(id, n, price)| format!(r#"{{"productId":{id},"quantity":{n}{price}}}"#));
    let order = |customer: i64, lines: &[String]| {
        format!(r#"{{"customerId":{customer},"items":[{}]}}"#, lines.join(","))
    };
    let valid = (1..50_i64, prop::collection::vec(line, 1..5));
    prop_oneof![
        8 => valid.prop_map(move |(customer, lines)| (201, "", order(customer, &lines))),
        1 => Just((400, "Product not found", order(1, &[r#"{"productId":999,"quantity":1}"#.to_owned()]))),
        1 => Just((400, "Insufficient stock", order(1, &[r#"{"productId":20,"quantity":6}"#.to_owned()]))),
        1 => Just((400, "Invalid order data", order(1, &[]))),
        1 => Just((400, "Invalid order data", r#"{"customerId":1,"items":[{"#.to_owned())),
    ]
}

/// A change of an order or a product.
#[derive(Clone, Debug)]
enum Change {
    Status { order: i64, status: &'static str },
    Price { product: i64, price: u32 },
    Category { product: i64, category: &'static str },
}

const STATUSES: [&str; 5] = ["PAID", "SHIPPED", "DELIVERED", "CANCELLED", "REFUNDED"];
const CATEGORIES: [&str; 4] = ["Books", "books", "Tea", "Süßes"];

fn changes() -> impl Strategy<Value = Change> {
    let status = (1..ORDERS as i64, prop::sample::select(&STATUSES[..]));
    let category = (1..=20_i64, prop::sample::select(&CATEGORIES[..]));
    prop_oneof![
        10 => status.prop_map(|(order, status)| Change::Status { order, status }),
        1 => (1..=20_i64, 0..9_999_u32).prop_map(|(product, price)| Change::Price { product, price }),
        1 => category.prop_map(|(product, category)| Change::Category { product, category }),
    ]
}

impl Change {
    /// Requests the change. The order lifecycle may forbid it.
    async fn request(&self, shop: &Shop) {
        let (path, body) = match self {
            Self::Status { order, status } => {
                (format!("/api/orders/{order}/status"), format!(r#"{{"status":"{status}"}}"#))
            }
            Self::Price { product, price } => {
                (format!("/api/products/{product}/price"), format!(r#"{{"price":{price}.25}}"#))
            }
            Self::Category { product, category } => {
                (format!("/api/products/{product}"), format!(r#"{{"category":"{category}"}}"#))
            }
        };
        let response = shop.command(Method::PUT, &path, &body).await;
        let is_expected = match response.status {
            200 => true,
            // Fewer orders were accepted than requested.
            404 => response.error() == "Order not found",
            409 => response.error() == "Invalid status transition",
            _ => false,
        };
        assert!(is_expected, "{self:?}: {}", response.text);
    }
}

#[tokio::test]
async fn views_agree_after_random_commands_and_redelivery_changes_nothing() {
    let shop = Shop::start().await;
    for id in 1..=20 {
        let category = CATEGORIES[id % 4];
        let stock = if id == 20 { 5 } else { 1_000_000 };
        shop.product(category, &format!("{id}.99"), stock).await;
    }
    for number in 1..=20 {
        let id = shop.user("Ada", &format!("{number}@example.com")).await.integer("id");
        shop.post("/api/accounts", &account(id, "1 Main St")).await.assert_status(201);
    }
    let mut runner = TestRunner::deterministic();
    let cases: Vec<Case> =
        (0..ORDERS).map(|_| cases().new_tree(&mut runner).unwrap().current()).collect();

    let post = async |case: &[Case]| {
        for (status, error, body) in case {
            let response = shop.post("/api/orders", body).await;
            assert_eq!((response.status, response.error()), (*status, *error), "{}", response.text);
        }
    };
    let clients = cases.chunks(ORDERS.div_ceil(CLIENTS)).map(post);
    futures::future::join_all(clients).await;
    let changes: Vec<Change> =
        (0..CHANGES).map(|_| changes().new_tree(&mut runner).unwrap().current()).collect();
    let clients = changes.chunks(CHANGES.div_ceil(CLIENTS)).map(async |changes: &[Change]| {
        for change in changes {
            change.request(&shop).await;
        }
    });
    futures::future::join_all(clients).await;
    shop.caught_up().await;

    let accepted = cases.iter().filter(|(status, ..)| *status == 201).count();
    assert_eq!(shop.databases.query_write("SELECT count(*) FROM orders").await, accepted as i64);
    assert_views_agree(&shop.databases).await;

    redeliver_shuffled(&shop, &mut runner).await;
    shop.stop().await;
}

/// Publishes every event again in random order, alternately to the queue as external events
/// and to the exchange. Asserts that nothing changes.
async fn redeliver_shuffled(shop: &Shop, runner: &mut TestRunner) {
    let before = views(&shop.databases).await;
    let history: Vec<(String, String)> =
        sqlx::query_as("SELECT topic, payload::text FROM outbox ORDER BY id")
            .fetch_all(&shop.databases.write)
            .await
            .unwrap();
    let shuffled = Just(history).prop_shuffle().new_tree(runner).unwrap().current();
    for (index, batch) in shuffled.chunks(500).enumerate() {
        for topic in Topic::ALL.map(Topic::name) {
            let bodies: Vec<Vec<u8>> = batch
                .iter()
                .filter(|(of, _)| of == topic)
                .map(|(_, payload)| payload.clone().into_bytes())
                .collect();
            if index % 2 == 0 {
                shop.broker.publish(topic, &bodies).await;
            } else {
                let (key, properties) = (format!("{topic}.Again"), BasicProperties::default());
                shop.broker.publish_to_exchange(EXCHANGE, &key, &bodies, properties).await;
            }
        }
    }
    // Queues keep the order: when the last message of each queue is a dead letter, all
    // messages before it have been processed.
    for topic in Topic::ALL.map(Topic::name) {
        let last = format!("the last of {topic}").into_bytes();
        shop.broker.publish(topic, &[last]).await;
    }
    shop.databases.wait_for_read(DEAD_LETTERS, Topic::ALL.len() as i64).await;
    shop.caught_up().await;
    assert_eq!(views(&shop.databases).await, before);
    let events = shop.databases.query_write("SELECT count(*) FROM outbox").await;
    assert_eq!(shop.databases.query_read("SELECT count(*) FROM processed_events").await, events);
    assert_eq!(shop.databases.query_read("SELECT events_applied FROM sync_status").await, events);
}
