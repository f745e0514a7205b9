//! What was acknowledged survives `kill -9` of anything.

use crate::harness::{Answer, Shop, assert_views_agree, client, order};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[tokio::test]
async fn killed_services_lose_and_double_nothing() {
    let mut shop = Shop::open().await;
    let product = shop.product("Tea", "5", 1_000_000).await;
    let mut accepted = 0;
    for _ in 0..4 {
        let url = format!("http://{}/api/orders", shop.command.address("api").await);
        let client = client();
        let orders = (0..150).map(|customer| {
            let request = client.post(&url).header("content-type", "application/json");
            Answer::to(request.body(order(customer + 1, product, 1)))
        });
        // The services die while orders are on their way.
        let orders = tokio::spawn(futures::future::join_all(orders));
        let before = shop.databases.written("SELECT count(*) FROM orders").await;
        crate::harness::eventually(async || {
            let now = shop.databases.written("SELECT count(*) FROM orders").await;
            if now > before { Ok(()) } else { Err("no order yet") }
        })
        .await;
        shop.consumer.kill();
        shop.command.kill();
        let answers = orders.await.unwrap();
        accepted += answers.iter().flatten().filter(|answer| answer.status == 201).count();
        shop.command.restart();
        shop.consumer.restart();
        shop.command.healthy().await;
    }
    shop.consumer.healthy().await;
    shop.caught_up().await;
    let orders = shop.databases.written("SELECT count(*) FROM orders").await;
    assert!(orders >= accepted as i64, "{orders} orders, {accepted} answered");
    assert_views_agree(&shop.databases).await;
    shop.close().await;
}

#[tokio::test]
async fn services_stop_when_asked_to() {
    let mut shop = Shop::open().await;
    let product = shop.product("Tea", "5", 10).await;
    assert_eq!(shop.order(1, product, 1).await.status, 201);
    // A client that never finishes its request does not keep them from it.
    let mut unfinished = TcpStream::connect(shop.command.address("api").await).await.unwrap();
    unfinished.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    for service in [&mut shop.command, &mut shop.consumer, &mut shop.query] {
        service.signal("TERM");
        assert!(service.ended().await.success());
    }
    shop.close().await;
}
