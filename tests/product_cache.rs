//! The product cache of a command service never decides an order with outdated data.

use crate::harness::{Response, Shop, client, execute, json, order};
use reqwest::Method;

#[tokio::test]
async fn a_change_by_sql_applies_to_the_next_order() {
    let shop = Shop::start().await;
    let write = &shop.databases.write;
    let product = shop.product("Tea", "5", 10).await;
    assert_eq!(shop.order(1, product, 1).await.body["total"], 5);

    execute(write, "UPDATE products SET price = 6.25, name = 'Better tea'").await;
    let order = shop.order(1, product, 1).await;
    assert_eq!(order.body["total"], 6.25, "{}", order.text);
    assert_eq!(order.body["items"][0]["productName"], "Better tea");

    execute(write, "UPDATE products SET stock = 1").await;
    shop.order(1, product, 2).await.assert_refused(400, "Insufficient stock");

    execute(write, "UPDATE products SET stock = 2").await;
    shop.place_order(1, product, 2).await;
    assert_eq!(shop.databases.query_write("SELECT stock::bigint FROM products").await, 0);
    shop.stop().await;
}

#[tokio::test]
async fn a_price_change_by_one_service_applies_to_the_next_order_of_another() {
    let shop = Shop::start().await;
    let other = shop.another_command_service();
    other.healthy().await;
    let product = shop.product("Tea", "5", 10).await;
    let (client, url) = (client(), other.url("api", "/api/orders").await);
    for price in [5.0, 4.0, 4.5] {
        shop.set_price(product, price).await.assert_status(200);
        for _ in 0..2 {
            let request = json(&client, Method::POST, url.clone(), &order(7, product, 1));
            let placed = Response::to(request).await.unwrap();
            assert_eq!(placed.body["total"].as_f64(), Some(price), "{}", placed.text);
        }
    }
    drop(other);
    shop.stop().await;
}

#[tokio::test]
async fn products_deleted_by_truncate_are_not_sold_from_the_cache() {
    let shop = Shop::start().await;
    let before = shop.product("Tea", "5", 10).await;
    assert_eq!(shop.order(1, before, 1).await.body["total"], 5);
    execute(
        &shop.databases.write,
        "TRUNCATE products, customers, orders, order_items, outbox RESTART IDENTITY CASCADE",
    )
    .await;
    // The new product has the id and the version of the cached one.
    let after = shop.product("Mugs", "7", 10).await;
    assert_eq!(after, before);
    shop.set_price(after, 8.0).await.assert_status(200);
    let order = shop.order(1, after, 1).await;
    assert_eq!(order.body["total"], 8, "{}", order.text);
    assert_eq!(order.body["items"][0]["category"], "Mugs");
    shop.stop().await;
}
