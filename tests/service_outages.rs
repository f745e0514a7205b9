//! Databases and broker may come and go at any time: services start without
//! them, say so on `/health`, and go on without loss or restart.

use crate::harness::{Links, Servers, Shop, assert_views_agree, eventually};

#[tokio::test]
async fn services_start_without_anything_and_wait() {
    let servers = Servers::of_environment();
    let links = Links::to(&servers);
    let shop = Shop::spawn(&servers, links.ports(), None).await;
    for (service, part) in
        [(&shop.command, "database"), (&shop.consumer, "database"), (&shop.query, "database")]
    {
        let health = service.health().await;
        assert_eq!(health.status, 503, "{}", health.text);
        assert_eq!(health.body[part]["status"], "down", "{}", health.text);
    }
    let refused = shop.post("/api/products", r#"{"name":"a","category":"c","price":1}"#).await;
    assert_eq!((refused.status, refused.error()), (503, "Service unavailable"));
    assert_eq!(shop.get("/api/products").await.status, 503);

    // The database is enough to take orders; the body tells of the broker.
    links.command_write.open().await;
    shop.command.healthy().await;
    assert_eq!(shop.command.health().await.body["broker"]["status"], "down");
    let product = shop.product("Tea", "5", 10).await;
    assert_eq!(shop.order(1, product, 1).await.status, 201);
    let published = "SELECT count(*) FROM outbox WHERE published_at IS NOT NULL";
    assert_eq!(shop.databases.query_write(published).await, 0);

    links.open().await;
    shop.consumer.healthy().await;
    shop.query.healthy().await;
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn the_first_order_after_an_outage_is_taken() {
    let servers = Servers::of_environment();
    let links = Links::to(&servers);
    links.open().await;
    let shop = Shop::spawn(&servers, links.ports(), None).await;
    shop.command.healthy().await;
    let product = shop.product("Tea", "5", 10).await;
    assert_eq!(shop.order(1, product, 1).await.status, 201);
    // The order lane's connection dies while nobody orders.
    links.command_write.cut().await;
    eventually(async || {
        let health = shop.command.health().await;
        if health.status == 503 { Ok(()) } else { Err(health.text) }
    })
    .await;
    links.command_write.open().await;
    let response = shop.order(1, product, 1).await;
    assert_eq!(response.status, 201, "{}", response.text);
    shop.stop().await;
}

#[tokio::test]
async fn a_deleted_queue_is_declared_again() {
    let shop = Shop::start().await;
    let (connection, channel) = shop.broker.channel().await;
    let options = lapin::options::QueueDeleteOptions::default();
    channel.queue_delete("product-events".into(), options).await.unwrap();
    connection.close(200, "bye".into()).await.unwrap();
    shop.product("Tea", "5", 10).await;
    eventually(async || {
        let queue = shop.broker.queue("product-events").await;
        if queue.status == 200 { Ok(()) } else { Err(queue.text) }
    })
    .await;
    shop.caught_up().await;
    let queue = shop.broker.queue("product-events").await;
    assert_eq!(queue.body["type"], "quorum");
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}
