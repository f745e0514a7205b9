//! Databases and broker may come and go at any time: services start without
//! them, say so on `/health`, and go on without loss or restart.

use crate::harness::{Broker, Databases, Link, Shop, Wiring, assert_views_agree, eventually};

#[tokio::test]
async fn services_start_without_anything_and_wait() {
    let (write_port, read_port) = Databases::ports();
    let (write, read, broker) =
        (Link::to(write_port), Link::to(read_port), Link::to(Broker::port()));
    let wiring =
        Wiring { write: Some(write.port), read: Some(read.port), broker: Some(broker.port) };
    let shop = Shop::wired(wiring).await;
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
    write.up().await;
    shop.command.healthy().await;
    assert_eq!(shop.command.health().await.body["broker"]["status"], "down");
    let product = shop.product("Tea", "5", 10).await;
    assert_eq!(shop.order(1, product, 1).await.status, 201);
    let published = "SELECT count(*) FROM outbox WHERE published_at IS NOT NULL";
    assert_eq!(shop.databases.written(published).await, 0);

    broker.up().await;
    read.up().await;
    shop.consumer.healthy().await;
    shop.query.healthy().await;
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    shop.close().await;
}

#[tokio::test]
async fn nothing_is_lost_when_links_break_under_load() {
    let (write_port, read_port) = Databases::ports();
    let (write, read, broker) =
        (Link::to(write_port), Link::to(read_port), Link::to(Broker::port()));
    for link in [&write, &read, &broker] {
        link.up().await;
    }
    let wiring =
        Wiring { write: Some(write.port), read: Some(read.port), broker: Some(broker.port) };
    let shop = Shop::wired(wiring).await;
    shop.command.healthy().await;
    shop.consumer.healthy().await;
    let product = shop.product("Tea", "5", 1_000_000).await;

    let mut accepted = 0;
    let mut unknown = 0;
    for link in [&broker, &read, &write, &broker, &read] {
        let orders = (0..100).map(|customer| shop.order(customer + 1, product, 1));
        let (answers, ()) = tokio::join!(futures::future::join_all(orders), link.cut());
        for answer in answers {
            match (answer.status, answer.error()) {
                (201, _) => accepted += 1,
                (503, "Outcome unknown" | "Timed out") => unknown += 1,
                (503, _) => {}
                _ => panic!("{}", answer.text),
            }
        }
        link.up().await;
        shop.command.healthy().await;
    }
    shop.consumer.healthy().await;
    shop.caught_up().await;
    let orders = shop.databases.written("SELECT count(*) FROM orders").await;
    assert!((accepted..=accepted + unknown).contains(&orders), "{orders} of {accepted}");
    assert_views_agree(&shop.databases).await;
    shop.close().await;
}

#[tokio::test]
async fn the_first_order_after_an_outage_is_taken() {
    let (write_port, _) = Databases::ports();
    let write = Link::to(write_port);
    write.up().await;
    let wiring = Wiring { write: Some(write.port), ..Wiring::default() };
    let shop = Shop::wired(wiring).await;
    shop.command.healthy().await;
    let product = shop.product("Tea", "5", 10).await;
    assert_eq!(shop.order(1, product, 1).await.status, 201);
    // The order lane's connection dies while nobody orders.
    write.cut().await;
    eventually(async || {
        let health = shop.command.health().await;
        if health.status == 503 { Ok(()) } else { Err(health.text) }
    })
    .await;
    write.up().await;
    let answer = shop.order(1, product, 1).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    shop.close().await;
}

#[tokio::test]
async fn a_deleted_queue_is_declared_again() {
    let shop = Shop::open().await;
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
    shop.close().await;
}
