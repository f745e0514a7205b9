//! A message with any bytes becomes a dead letter and does not stop delivery.

use crate::harness::database::DEAD_LETTERS;
use crate::harness::poison::{Poison, every_kind, publish};
use crate::harness::raw_amqp::RawMessage;
use crate::harness::{Response, Shop, client, external_order};
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;

/// Time by which the events behind poison messages are applied.
const DEADLINE: Duration = Duration::from_secs(30);

/// A valid event of a topic, for the order or product with this number.
fn valid(topic: &str, number: usize) -> RawMessage {
    let body = match topic {
        "order-events" => external_order(number),
        _ => format!(
            r#"{{"eventId":"{}","eventType":"ProductCreated","version":1,"aggregateVersion":1,
                "timestamp":"2026-01-01T10:30:00Z","productId":{number},"name":"Mate",
                "category":"Mate","price":1.25,"stock":5,"stockDelta":5}}"#,
            Uuid::now_v7()
        ),
    };
    RawMessage {
        key: topic.into(),
        properties: vec![0; 2],
        body: body.into_bytes(),
        ..RawMessage::default()
    }
}

/// Publishes poison messages and as many valid events, in turn. Returns the poison messages
/// that the broker has accepted.
async fn publish_all(shop: &Shop, topic: &str, first: usize) -> Vec<Poison> {
    let mut accepted = Vec::new();
    for (number, poison) in every_kind(topic).into_iter().enumerate() {
        match publish(&shop.broker, &poison.message).await {
            Ok(()) => accepted.push(poison),
            Err(refusal) => println!("{} is refused: {refusal}", poison.kind),
        }
        publish(&shop.broker, &valid(topic, first + number)).await.unwrap();
    }
    assert!(accepted.len() > 10, "{accepted:?}");
    accepted
}

async fn wait_for(shop: &Shop, sql: &'static str, count: usize) {
    shop.databases.wait_for_read_within(DEADLINE, sql, count as i64).await;
}

const ORDERS: &str = "SELECT count(*) FROM orders_read WHERE order_id >= 1000";
const PRODUCTS: &str = "SELECT count(*) FROM products_read_view WHERE product_id >= 1000";

/// The output of `cargo stack dead-letters`.
async fn dead_letters(shop: &Shop, command: &str) -> String {
    let output = shop.consumer.admin(&format!("dead-letters {command}")).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    output.stdout
}

#[tokio::test]
async fn poison_messages_become_dead_letters_and_events_behind_them_are_applied() {
    let mut shop = Shop::start().await;
    let mut accepted = publish_all(&shop, "order-events", 1000).await;
    accepted.extend(publish_all(&shop, "product-events", 1000).await);
    let kinds = every_kind("order-events").len();
    wait_for(&shop, ORDERS, kinds).await;
    wait_for(&shop, PRODUCTS, kinds).await;
    wait_for(&shop, DEAD_LETTERS, accepted.len()).await;
    // Other topics and our own events are not affected.
    shop.user("Ann", "ann@example.com").await.assert_status(201);
    let product = shop.product("Tea", "5", 10).await;
    shop.place_order(1, product, 1).await;
    shop.caught_up_within(DEADLINE).await;

    // The same after a restart.
    shop.consumer.kill();
    let more = publish_all(&shop, "order-events", 2000).await;
    shop.consumer.restart();
    accepted.extend(more);
    wait_for(&shop, ORDERS, 2 * kinds).await;
    wait_for(&shop, DEAD_LETTERS, accepted.len()).await;
    shop.consumer.health().await.assert_status(200);

    let url = shop.consumer.url("operations", "/admin/dead-letters?limit=500").await;
    let list = Response::to(client().get(url)).await.unwrap();
    let mut letters = Vec::new();
    for letter in list.body.as_array().unwrap() {
        let shown = dead_letters(&shop, &format!("show {}", letter["id"])).await;
        letters.push(serde_json::from_str::<Value>(&shown).unwrap());
    }
    for Poison { kind, reason, message } in &accepted {
        let body = String::from_utf8_lossy(&message.body);
        let shown = letters.iter().find(|letter| {
            let text = letter["body"].as_str().unwrap();
            body.starts_with(text) && text.starts_with("poison ")
        });
        let shown = shown.unwrap_or_else(|| panic!("{kind} is no dead letter: {}", list.text));
        assert!(shown["reason"].as_str().unwrap().contains(reason), "{kind}: {shown}");
        assert_eq!(shown["bytes"], message.body.len());
        let hex: String = message.properties.iter().map(|byte| format!("{byte:02x}")).collect();
        if *reason != "not JSON" && *kind != "large body" {
            assert_eq!(shown["propertiesHex"], hex, "{kind}");
        }
    }
    assert_eq!(dead_letters(&shop, "list").await.matches("message_id is not UTF-8").count(), 6);
    dead_letters(&shop, "discard --all").await;
    assert_eq!(dead_letters(&shop, "list").await, "no dead letters\n");
    let product = shop.product("Mate", "5", 10).await;
    shop.wait_until_found(&format!("/api/products/{product}")).await;
    shop.stop().await;
}
