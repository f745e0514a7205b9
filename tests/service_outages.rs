//! Services start without databases and broker, report this in `/health`, and continue
//! without loss or restart when the servers are available.

use crate::harness::{Links, Servers, Shop, assert_views_agree, eventually};

#[tokio::test]
async fn services_start_before_databases_and_broker() {
    let servers = Servers::of_environment();
    let links = Links::to(&servers);
    let shop = Shop::spawn(&servers, links.ports(), None).await;
    for service in shop.services() {
        let health = service.health().await;
        health.assert_status(503);
        assert_eq!(health.body["database"]["status"], "down", "{}", health.text);
    }
    let refused = shop.post("/api/products", r#"{"name":"a","category":"c","price":1}"#).await;
    refused.assert_refused(503, "Service unavailable");
    shop.get("/api/products").await.assert_status(503);

    // Orders need the database only. The health body reports the broker.
    links.command_write.open().await;
    shop.command.healthy().await;
    assert_eq!(shop.command.health().await.body["broker"]["status"], "down");
    let product = shop.product("Tea", "5", 10).await;
    shop.place_order(1, product, 1).await;
    let published = "SELECT count(*) FROM outbox WHERE published_at IS NOT NULL";
    assert_eq!(shop.databases.query_write(published).await, 0);

    links.open().await;
    shop.healthy().await;
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn the_first_order_after_a_database_outage_is_accepted() {
    let (shop, links) = Shop::start_with_links().await;
    let product = shop.product("Tea", "5", 10).await;
    shop.place_order(1, product, 1).await;
    // The connection of the order batcher breaks while it is idle.
    links.command_write.cut().await;
    shop.command.wait_for_health(|health| health.status == 503).await;
    links.command_write.open().await;
    shop.place_order(1, product, 1).await;
    shop.stop().await;
}

#[tokio::test]
async fn a_deleted_queue_is_declared_again() {
    let shop = Shop::start().await;
    shop.broker.delete_queue("product-events").await;
    shop.product("Tea", "5", 10).await;
    eventually(async || {
        shop.broker.queue("product-events").await.ok_if(|queue| queue.status == 200)
    })
    .await;
    shop.caught_up().await;
    let queue = shop.broker.queue("product-events").await;
    assert_eq!(queue.body["type"], "quorum");
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}
