//! A message of any bytes does not stop delivery, and is kept.

use crate::harness::poison::{Poison, every_kind, publish};
use crate::harness::raw_amqp::RawMessage;
use crate::harness::{Response, Shop, client, program, within};
use serde_json::Value;
use std::process::Command;
use std::time::Duration;
use uuid::Uuid;

/// Events behind poison messages are applied by then.
const DEADLINE: Duration = Duration::from_secs(30);

/// A good event of a topic, whose order or product has this number.
fn good(topic: &str, number: usize) -> RawMessage {
    let id = Uuid::now_v7();
    let (kind, rest) = match topic {
        "order-events" => (
            "OrderCreated",
            format!(
                r#""orderId":{number},"customerId":9,"status":"CREATED","total":2.5,"items":[
                {{"productId":77,"productName":"Mate","category":"Mate","quantity":2,"price":1.25}}]"#
            ),
        ),
        _ => (
            "ProductCreated",
            format!(
                r#""productId":{number},"name":"Mate","category":"Mate","price":1.25,"stock":5,
                "stockDelta":5"#
            ),
        ),
    };
    let body = format!(
        r#"{{"eventId":"{id}","eventType":"{kind}","version":1,"aggregateVersion":1,
            "timestamp":"2026-01-01T10:30:00Z",{rest}}}"#
    );
    RawMessage {
        key: topic.into(),
        properties: vec![0; 2],
        body: body.into_bytes(),
        ..RawMessage::default()
    }
}

/// Publishes poison messages and as many good events, in turn; returns the poison
/// messages that the broker accepted.
async fn publish_all(shop: &Shop, topic: &str, first: usize) -> Vec<Poison> {
    let mut taken = Vec::new();
    for (number, poison) in every_kind(topic).into_iter().enumerate() {
        match publish(&shop.broker, &poison.message).await {
            Ok(()) => taken.push(poison),
            Err(refusal) => println!("{} is refused: {refusal}", poison.kind),
        }
        publish(&shop.broker, &good(topic, first + number)).await.unwrap();
    }
    assert!(taken.len() > 10, "{taken:?}");
    taken
}

async fn wait_for(shop: &Shop, sql: &'static str, count: usize) {
    within(DEADLINE, async || {
        let found = shop.databases.query_read(sql).await;
        if found == count as i64 { Ok(()) } else { Err(format!("{found}, not {count}: {sql}")) }
    })
    .await;
}

const ORDERS: &str = "SELECT count(*) FROM orders_read WHERE order_id >= 1000";
const PRODUCTS: &str = "SELECT count(*) FROM products_read_view WHERE product_id >= 1000";
const LETTERS: &str = "SELECT count(*) FROM dead_letters";

/// The output of the operator's tool.
fn admin(url: &str, line: &str) -> String {
    let output = Command::new(program("admin"))
        .arg("dead-letters")
        .args(line.split(' '))
        .args(["--url", url])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn poison_of_every_kind_is_kept_and_what_is_behind_it_is_applied() {
    let mut shop = Shop::start().await;
    let mut taken = publish_all(&shop, "order-events", 1000).await;
    taken.extend(publish_all(&shop, "product-events", 1000).await);
    let kinds = every_kind("order-events").len();
    wait_for(&shop, ORDERS, kinds).await;
    wait_for(&shop, PRODUCTS, kinds).await;
    wait_for(&shop, LETTERS, taken.len()).await;
    // Other topics go on, and our own events.
    let user = shop.post("/api/users", r#"{"name":"Ann","email":"ann@example.com"}"#).await;
    assert_eq!(user.status, 201, "{}", user.text);
    let product = shop.product("Tea", "5", 10).await;
    assert_eq!(shop.order(1, product, 1).await.status, 201);
    shop.caught_up_within(DEADLINE).await;

    // The same after a restart.
    shop.consumer.kill();
    let more = publish_all(&shop, "order-events", 2000).await;
    shop.consumer.restart();
    taken.extend(more);
    wait_for(&shop, ORDERS, 2 * kinds).await;
    wait_for(&shop, LETTERS, taken.len()).await;
    let health = shop.consumer.health().await;
    assert_eq!(health.status, 200, "{}", health.text);

    let operations = shop.consumer.address("operations").await;
    let url = format!("http://{operations}");
    let list = Response::to(client().get(format!("{url}/admin/dead-letters?limit=500"))).await;
    let letters = list.unwrap().body;
    for Poison { kind, reason, message } in &taken {
        let body = String::from_utf8_lossy(&message.body);
        let shown = letters.as_array().unwrap().iter().find_map(|letter| {
            let shown = admin(&url, &format!("show {}", letter["id"]));
            let shown: Value = serde_json::from_str(&shown).unwrap();
            let text = shown["body"].as_str().unwrap();
            (body.starts_with(text) && text.starts_with("poison ")).then_some(shown)
        });
        let shown = shown.unwrap_or_else(|| panic!("{kind} is not kept: {letters}"));
        assert!(shown["reason"].as_str().unwrap().contains(reason), "{kind}: {shown}");
        assert_eq!(shown["bytes"], message.body.len());
        let hex: String = message.properties.iter().map(|byte| format!("{byte:02x}")).collect();
        if *reason != "not JSON" && *kind != "large body" {
            assert_eq!(shown["propertiesHex"], hex, "{kind}");
        }
    }
    assert_eq!(admin(&url, "list").matches("message_id is not UTF-8").count(), 6);
    admin(&url, "discard --all");
    assert_eq!(admin(&url, "list"), "no dead letters\n");
    let product = shop.product("Mate", "5", 10).await;
    shop.wait_until_found(&format!("/api/products/{product}")).await;
    shop.stop().await;
}
