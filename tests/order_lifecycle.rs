//! An order's life: what may follow what, what comes back, and that the views
//! go along.

use crate::harness::{Response, Shop, assert_views_agree, eventually};
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

async fn move_to(shop: &Shop, order: i64, status: &str) -> Response {
    let path = format!("/api/orders/{order}/status");
    shop.command(Method::PUT, &path, &format!(r#"{{"status":"{status}"}}"#)).await
}

async fn stock(shop: &Shop) -> i64 {
    shop.databases.query_write("SELECT stock::bigint FROM products ORDER BY id LIMIT 1").await
}

#[tokio::test]
async fn an_order_goes_its_way_and_says_where_it_may_go() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "4.5", 100).await;
    let order = shop.order(7, product, 3).await.integer("orderId");

    let refused = move_to(&shop, order, "DELIVERED").await;
    assert_eq!((refused.status, refused.error()), (409, "Invalid status transition"));
    assert_eq!(refused.body["allowed"], json!(["PAID", "SHIPPED", "CANCELLED"]));
    for status in ["PAID", "SHIPPED", "DELIVERED", "REFUNDED"] {
        let moved = move_to(&shop, order, status).await;
        assert_eq!((moved.status, &moved.body["status"]), (200, &json!(status)));
        assert_eq!(moved.integer("orderId"), order);
        assert!(moved.headers.contains_key("x-event-id"));
        let again = move_to(&shop, order, status).await;
        assert_eq!((again.status, &again.body), (200, &moved.body), "the same again");
        assert!(!again.headers.contains_key("x-event-id"), "and nothing happened");
    }
    assert_eq!(move_to(&shop, order, "PAID").await.body["allowed"], json!([]));
    assert_eq!(shop.databases.query_write("SELECT count(*) FROM outbox").await, 2 + 4);
    assert_eq!(stock(&shop).await, 97, "a refund returns no stock");

    let unpaid = shop.order(7, product, 1).await.integer("orderId");
    assert_eq!(move_to(&shop, unpaid, "SHIPPED").await.status, 200, "unpaid, as some do");
    shop.caught_up().await;
    assert_eq!(shop.get(&format!("/api/orders/{order}")).await.body["status"], "REFUNDED");
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn a_cancelled_order_leaves_the_figures_as_if_it_had_never_been_placed() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "4.5", 100).await;
    shop.order(7, product, 3).await;
    shop.caught_up().await;
    let figures = async || {
        let mut figures = Vec::new();
        for path in [
            format!("/api/analytics/products/{product}/sales"),
            "/api/analytics/categories/Tea/revenue".to_owned(),
            format!("/api/products/{product}"),
        ] {
            let mut body = shop.get(&path).await.body;
            body.as_object_mut().unwrap().remove("updatedAt");
            figures.push(body);
        }
        figures
    };
    let before = figures().await;
    for status in ["CANCELLED", "REFUNDED"] {
        let order = shop.order(8, product, 5).await.integer("orderId");
        if status == "REFUNDED" {
            move_to(&shop, order, "PAID").await;
        }
        assert_eq!(move_to(&shop, order, status).await.status, 200);
    }
    shop.caught_up().await;
    let mut after = figures().await;
    assert_eq!(after[2]["stock"], 92, "what was refunded is with the customer");
    after[2]["stock"] = json!(97);
    assert_eq!(after, before);
    let customer = shop.get("/api/analytics/customers/8/lifetime-value").await.body;
    assert_eq!((&customer["totalSpent"], &customer["orderCount"]), (&json!(0), &json!(0)));
    assert!(customer["lastOrderDate"].is_string(), "they ordered, though");
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

/// Sends a command again as long as it is refused because too much is under way.
async fn unless_busy(mut send: impl AsyncFnMut() -> Response) -> Response {
    eventually(async || {
        let response = send().await;
        if response.status == 503 { Err(response.text) } else { Ok(response) }
    })
    .await
}

#[tokio::test]
async fn cancelling_and_ordering_at_once_neither_loses_nor_makes_stock() {
    let shop = Shop::start().await;
    let product = shop.product("Scarce", "10", 20).await;
    // Twenty pieces go round: each client orders one, cancels it, and so on.
    let clients = (1..=30).map(async |customer: i64| {
        let mut kept = 0;
        for round in 0..10 {
            let placed = unless_busy(async || shop.order(customer, product, 1).await).await;
            if placed.status != 201 {
                assert_eq!(placed.error(), "Insufficient stock");
            } else if round % 3 == 2 {
                kept += 1;
            } else {
                // Twice at once: it is cancelled once.
                let order = placed.integer("orderId");
                let cancel = || unless_busy(async || move_to(&shop, order, "CANCELLED").await);
                for response in join_all([cancel(), cancel()]).await {
                    assert_eq!(response.status, 200, "{}", response.text);
                }
            }
        }
        kept
    });
    let kept: i64 = join_all(clients).await.into_iter().sum();
    assert_eq!(stock(&shop).await, 20 - kept);
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}
