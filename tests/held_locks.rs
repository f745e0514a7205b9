//! A row lock delays only the commands and events that need the row.

use crate::harness::Shop;
use crate::harness::database::LOCK_WAITS;
use futures::future::join_all;
use reqwest::Method;

#[tokio::test]
async fn orders_of_other_products_are_accepted_while_a_product_is_locked() {
    let shop = Shop::start().await;
    let (held, free) = (shop.product("Held", "5", 100).await, shop.product("Free", "5", 100).await);
    let select = format!("SELECT FROM products WHERE id = {held} FOR UPDATE");
    let lock = shop.databases.lock_rows(&select).await;

    let waiting = join_all((0..20).map(|customer| shop.order(customer + 1, held, 1)));
    let others = async {
        for customer in 0..50 {
            shop.place_order(customer + 1, free, 1).await;
        }
        let body = r#"{"name":"New","category":"Free","price":1}"#;
        shop.post("/api/products", body).await.assert_status(201);
        shop.command.health().await.assert_status(200);
    };
    let (refused, ()) = tokio::join!(waiting, others);
    for response in refused {
        response.assert_status(503);
    }
    lock.rollback().await.unwrap();
    shop.wait_until_accepted(1, held).await;
    shop.stop().await;
}

#[tokio::test]
async fn orders_are_accepted_while_their_customer_is_being_changed() {
    let shop = Shop::start().await;
    let product = shop.product("Hot", "5", 1_000).await;
    shop.place_order(7, product, 1).await;
    let update = "UPDATE customers SET name = 'New' WHERE id = 7";
    let lock = shop.databases.lock_rows(update).await;
    let orders = (1..=20).map(|customer| shop.order(customer, product, 1));
    for response in join_all(orders).await {
        response.assert_status(201);
    }
    lock.rollback().await.unwrap();
    shop.stop().await;
}

#[tokio::test]
async fn commands_that_wait_for_a_lock_do_not_delay_others() {
    let shop = Shop::start().await;
    let product = shop.product("Held", "5", 100).await;
    let mut orders = Vec::new();
    for customer in 1..=20 {
        orders.push(shop.place_order(customer, product, 1).await);
    }
    let lock = shop.databases.lock_rows("SELECT FROM products FOR UPDATE").await;
    let put = async |path: String, body: &str| shop.command(Method::PUT, &path, body).await;
    let cancel =
        |order: &i64| put(format!("/api/orders/{order}/status"), r#"{"status":"CANCELLED"}"#);
    let change = |_| put(format!("/api/products/{product}/price"), r#"{"price":6}"#);
    let waiting =
        async { tokio::join!(join_all(orders.iter().map(cancel)), join_all((0..20).map(change))) };
    let others = async {
        for number in 0..20 {
            shop.user("Ada", &format!("{number}@example.com")).await.assert_status(201);
        }
    };
    let ((cancelled, changed), ()) = tokio::join!(waiting, others);
    for response in cancelled.into_iter().chain(changed) {
        response.assert_status(503);
    }
    lock.rollback().await.unwrap();
    cancel(&orders[0]).await.assert_status(200);
    shop.stop().await;
}

#[tokio::test]
async fn a_locked_counter_delays_only_its_topic_and_no_event_is_published_twice() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 100).await;
    shop.caught_up().await;
    let select = "SELECT FROM outbox_progress WHERE topic = 'product-events' FOR UPDATE";
    let lock = shop.databases.lock_rows(select).await;
    shop.product("Coffee", "5", 100).await;
    // The publisher tries to mark the event, runs into the lock timeout, and retries.
    for sessions in [1, 0, 1, 0, 1] {
        shop.databases.wait_for_write(LOCK_WAITS, sessions).await;
    }
    shop.place_order(1, product, 2).await;
    shop.wait_until_found("/api/orders/1").await;
    lock.rollback().await.unwrap();
    shop.caught_up().await;
    let metrics = shop.command.metrics().await;
    assert_eq!(metrics.value("shop_publish_confirms_total", &["result=confirmed"]), 3.0);
    shop.stop().await;
}
