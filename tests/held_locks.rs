//! What somebody holds locked holds up nobody but who needs it.

use crate::harness::{Shop, eventually};
use futures::future::join_all;
use reqwest::Method;

#[tokio::test]
async fn orders_of_other_products_go_on_beside_a_held_lock() {
    let shop = Shop::start().await;
    let (held, free) = (shop.product("Held", "5", 100).await, shop.product("Free", "5", 100).await);
    let mut operator = shop.databases.write.begin().await.unwrap();
    sqlx::query("SELECT FROM products WHERE id = $1 FOR UPDATE")
        .bind(held)
        .execute(&mut *operator)
        .await
        .unwrap();

    let waiting = join_all((0..20).map(|customer| shop.order(customer + 1, held, 1)));
    let others = async {
        for customer in 0..50 {
            let response = shop.order(customer + 1, free, 1).await;
            assert_eq!(response.status, 201, "{}", response.text);
        }
        let body = r#"{"name":"New","category":"Free","price":1}"#;
        assert_eq!(shop.post("/api/products", body).await.status, 201);
        assert_eq!(shop.command.health().await.status, 200);
    };
    let (refused, ()) = tokio::join!(waiting, others);
    // Told to come again, rather than left waiting.
    for response in refused {
        assert_eq!(response.status, 503, "{}", response.text);
    }
    operator.rollback().await.unwrap();
    eventually(async || {
        let response = shop.order(1, held, 1).await;
        if response.status == 201 { Ok(()) } else { Err(response.text) }
    })
    .await;
    shop.stop().await;
}

#[tokio::test]
async fn a_customer_who_is_being_changed_can_order() {
    let shop = Shop::start().await;
    let product = shop.product("Hot", "5", 1_000).await;
    assert_eq!(shop.order(7, product, 1).await.status, 201);
    let mut operator = shop.databases.write.begin().await.unwrap();
    sqlx::query("UPDATE customers SET name = 'New' WHERE id = 7")
        .execute(&mut *operator)
        .await
        .unwrap();
    let orders = (1..=20).map(|customer| shop.order(customer, product, 1));
    for response in join_all(orders).await {
        assert_eq!(response.status, 201, "{}", response.text);
    }
    operator.rollback().await.unwrap();
    shop.stop().await;
}

#[tokio::test]
async fn commands_that_wait_for_a_lock_leave_room_for_others() {
    let shop = Shop::start().await;
    let product = shop.product("Held", "5", 100).await;
    let mut orders = Vec::new();
    for customer in 1..=20 {
        orders.push(shop.order(customer, product, 1).await.integer("orderId"));
    }
    let mut operator = shop.databases.write.begin().await.unwrap();
    sqlx::query("SELECT FROM products FOR UPDATE").execute(&mut *operator).await.unwrap();
    let put = async |path: String, body: &str| shop.command(Method::PUT, &path, body).await;
    let cancel =
        |order: &i64| put(format!("/api/orders/{order}/status"), r#"{"status":"CANCELLED"}"#);
    let change = |_| put(format!("/api/products/{product}/price"), r#"{"price":6}"#);
    let waiting =
        async { tokio::join!(join_all(orders.iter().map(cancel)), join_all((0..20).map(change))) };
    let others = async {
        for number in 0..20 {
            let body = format!(r#"{{"name":"Ada","email":"{number}@example.com"}}"#);
            let created = shop.post("/api/users", &body).await;
            assert_eq!(created.status, 201, "{}", created.text);
        }
    };
    let ((cancelled, changed), ()) = tokio::join!(waiting, others);
    for response in cancelled.into_iter().chain(changed) {
        assert_eq!(response.status, 503, "{}", response.text);
    }
    operator.rollback().await.unwrap();
    assert_eq!(cancel(&orders[0]).await.status, 200);
    shop.stop().await;
}

#[tokio::test]
async fn a_locked_count_delays_its_topic_only_and_repeats_no_event() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 100).await;
    shop.caught_up().await;
    let mut operator = shop.databases.write.begin().await.unwrap();
    sqlx::query("SELECT FROM outbox_progress WHERE topic = 'product-events' FOR UPDATE")
        .execute(&mut *operator)
        .await
        .unwrap();
    shop.product("Coffee", "5", 100).await;
    let waiting = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waits = async |expected: i64| {
        eventually(async || {
            let waits = shop.databases.query_write(waiting).await;
            if waits == expected { Ok(()) } else { Err(waits) }
        })
        .await;
    };
    // The publisher tries to mark the event, gives up, and tries again.
    for expected in [1, 0, 1, 0, 1] {
        waits(expected).await;
    }
    let order = shop.order(1, product, 2).await;
    assert_eq!(order.status, 201, "{}", order.text);
    shop.wait_until_found("/api/orders/1").await;
    operator.rollback().await.unwrap();
    shop.caught_up().await;
    let sent = shop.command.metrics().await;
    assert_eq!(sent.value("shop_publish_confirms_total", &["result=confirmed"]), 3.0);
    shop.stop().await;
}
