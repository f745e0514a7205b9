//! Overload: the command service refuses requests beyond its limits with `Retry-After`, and
//! accepts them again when there is capacity.

use crate::harness::{Response, Shop, assert_views_agree, client, eventually, order};
use futures::future::join_all;

#[tokio::test]
async fn commands_are_refused_while_the_outbox_is_full() {
    let (mut shop, links) = Shop::start_with_links().await;
    shop.command.restart_with(&[("OUTBOX_LIMIT", "20")]);
    shop.command.healthy().await;
    let product = shop.product("Tea", "5", 1_000_000).await;
    shop.caught_up().await;
    links.command_broker.cut().await;
    let refused = eventually(async || {
        shop.order(1, product, 1).await.ok_if(|response| response.status != 201)
    })
    .await;
    refused.assert_refused(503, "Outbox full");
    assert_eq!(refused.headers["retry-after"], "5");
    // Commands of another topic are accepted until its limit is reached.
    let health = shop.command.health().await;
    assert_eq!((health.status, &health.body["outbox"]["status"]), (200, &"down".into()));
    shop.set_price(product, 6.0).await.assert_status(200);
    eventually(async || {
        shop.set_price(product, 6.0).await.ok_if(|response| response.error() == "Outbox full")
    })
    .await;
    for number in 0..20 {
        shop.user("Ada", &format!("ada{number}@example.com")).await.assert_status(201);
    }
    // Now all topics have reached it.
    shop.command.wait_for_health(|health| health.status == 503).await;
    assert_eq!(shop.user("Ada", "ada@example.com").await.error(), "Outbox full");
    shop.get("/api/products").await.assert_status(200);

    links.command_broker.open().await;
    shop.wait_until_accepted(1, product).await;
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn requests_beyond_the_concurrency_limit_get_retry_after() {
    let shop = Shop::start().await;
    let product = shop.product("Held", "5", 10_000).await;
    let lock = shop.databases.lock_rows("SELECT FROM products FOR UPDATE").await;
    let client = client();
    let url = shop.command.url("api", "/api/orders").await;
    let body = order(1, product, 1);
    let orders = (0..3_000).map(|_| {
        let request = client.post(&url).header("content-type", "application/json");
        Response::to(request.body(body.clone()))
    });
    for response in join_all(orders).await {
        let response = response.unwrap();
        response.assert_status(503);
        assert_eq!(response.headers["retry-after"], "1");
    }
    lock.rollback().await.unwrap();
    shop.wait_until_accepted(1, product).await;
    shop.stop().await;
}
