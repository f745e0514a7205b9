//! A topic whose queue refuses messages is named in `/health` and delays no other topic.

use crate::harness::{Response, Shop, assert_views_agree, lock_rows};
use serde_json::Value;

/// A detail of the health of the command service, which must be healthy.
async fn detail(shop: &Shop, part: &str) -> String {
    let health = shop.command.health().await;
    health.assert_status(200);
    health.body[part]["detail"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn orders_are_processed_while_the_queue_of_products_refuses_messages() {
    let mut shop = Shop::start().await;
    shop.command.restart_with(&[("OUTBOX_LIMIT", "1100")]);
    // The consumer holds few events.
    shop.consumer.restart_with(&[("CONSUMER_BATCH", "5")]);
    shop.command.healthy().await;
    let held = shop.product("Held", "5", 10).await;
    let tea = shop.product("Tea", "5", 1_000).await;
    shop.caught_up().await;

    // The row lock stops the product events of the consumer, and the queue refuses more.
    let select = format!("SELECT FROM products_read WHERE product_id = {held} FOR UPDATE");
    let lock = lock_rows(&shop.databases.read, &select).await;
    shop.broker.limit_queue("product-events").await;
    let refused: Response = loop {
        let response = shop.set_price(held, 6.0).await;
        if response.status != 200 {
            break response;
        }
    };
    refused.assert_refused(503, "Outbox full");
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
        ordered.assert_status(201);
        let (event, id) = (ordered.event_id(), ordered.integer("orderId"));
        let path = format!("/api/orders/{id}?after={event}&wait=10000&strict=true");
        shop.get(&path).await.assert_status(200);
    }
    shop.user("Ada", "ada@example.com").await.assert_status(201);
    // The number of missing product events is unknown.
    shop.get_until("/sync-status", |status| {
        status.body["pendingEvents"] == Value::Null && status.body["isCaughtUp"] == false
    })
    .await;
    let logged = shop.command.log().matches("the queue refuses messages").count();
    assert_eq!(logged, 1, "{}", shop.command.log());

    shop.broker.remove_limit().await;
    lock.rollback().await.unwrap();
    shop.command
        .wait_for_health(|health| {
            ["publisher", "outbox"].iter().all(|part| health.body[*part]["status"] == "up")
        })
        .await;
    shop.set_price(held, 6.0).await.assert_status(200);
    shop.caught_up().await;
    assert_eq!(shop.databases.query_write(waiting).await, 0);
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}
