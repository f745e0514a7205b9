//! A topic whose queue refuses messages is named by `/health`, and delays no other.

use crate::harness::{Shop, assert_views_agree, eventually};
use reqwest::Method;
use serde_json::Value;

/// A detail of the command service's health.
async fn detail(shop: &Shop, part: &str) -> String {
    let health = shop.command.health().await;
    assert_eq!(health.status, 200, "{}", health.text);
    health.body[part]["detail"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn orders_go_on_while_the_queue_of_products_refuses() {
    let mut shop = Shop::start().await;
    shop.command.restart_with("OUTBOX_LIMIT", "1100");
    // So that few events wait in the consumer.
    shop.consumer.restart_with("CONSUMER_BATCH", "5");
    shop.command.healthy().await;
    let held = shop.product("Held", "5", 10).await;
    let tea = shop.product("Tea", "5", 1_000).await;
    shop.caught_up().await;

    // A lock on this row stops the consumer's product events, and the queue refuses
    // further ones.
    let mut operator = shop.databases.read.begin().await.unwrap();
    sqlx::query("SELECT FROM products_read WHERE product_id = $1 FOR UPDATE")
        .bind(held)
        .execute(&mut *operator)
        .await
        .unwrap();
    shop.broker.limit("product-events").await;
    let path = format!("/api/products/{held}/price");
    let change = async || shop.command(Method::PUT, &path, r#"{"price":6}"#).await;
    let refused = loop {
        let response = change().await;
        if response.status != 200 {
            break response;
        }
    };
    assert_eq!((refused.status, refused.error()), (503, "Outbox full"));
    let waiting = "SELECT count(*) FROM outbox
                   WHERE topic = 'product-events' AND published_at IS NULL";
    assert!(shop.databases.query_write(waiting).await > 1_000);
    let publisher = detail(&shop, "publisher").await;
    assert_eq!(
        publisher,
        "product-events: the queue refuses messages: it is full, or a policy limits it"
    );
    assert!(detail(&shop, "outbox").await.contains("events of product-events:"));

    for customer in 1..=20 {
        let ordered = shop.order(customer, tea, 1).await;
        assert_eq!(ordered.status, 201, "{}", ordered.text);
        let event = ordered.headers["x-event-id"].to_str().unwrap();
        let id = ordered.integer("orderId");
        let path = format!("/api/orders/{id}?after={event}&wait=10000&strict=true");
        assert_eq!(shop.get(&path).await.status, 200);
    }
    let user = shop.post("/api/users", r#"{"name":"Ada","email":"ada@example.com"}"#).await;
    assert_eq!(user.status, 201, "{}", user.text);
    // The number of missing product events is reported as unknown.
    eventually(async || {
        let status = shop.get("/sync-status").await;
        let is_unknown = status.body["pendingEvents"] == Value::Null;
        if is_unknown && status.body["isCaughtUp"] == false { Ok(()) } else { Err(status.text) }
    })
    .await;
    let told = shop.command.log().matches("the queue refuses messages").count();
    assert_eq!(told, 1, "{}", shop.command.log());

    shop.broker.unlimit().await;
    operator.rollback().await.unwrap();
    eventually(async || {
        let health = shop.command.health().await;
        let is_well =
            ["publisher", "outbox"].iter().all(|part| health.body[*part]["status"] == "up");
        if is_well { Ok(()) } else { Err(health.text) }
    })
    .await;
    assert_eq!(change().await.status, 200);
    shop.caught_up().await;
    assert_eq!(shop.databases.query_write(waiting).await, 0);
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}
