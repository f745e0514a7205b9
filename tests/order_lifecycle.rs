//! The order lifecycle: permitted transitions, returned stock, and the figures of the views.

use crate::harness::{Response, Shop, assert_views_agree, eventually};
use futures::future::join_all;
use serde_json::json;

async fn stock(shop: &Shop) -> i64 {
    shop.databases.query_write("SELECT stock::bigint FROM products ORDER BY id LIMIT 1").await
}

#[tokio::test]
async fn a_forbidden_transition_is_refused_with_the_permitted_ones() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "4.5", 100).await;
    let order = shop.place_order(7, product, 3).await;

    let refused = shop.set_status(order, "DELIVERED").await;
    refused.assert_refused(409, "Invalid status transition");
    assert_eq!(refused.body["allowed"], json!(["PAID", "SHIPPED", "CANCELLED"]));
    for status in ["PAID", "SHIPPED", "DELIVERED", "REFUNDED"] {
        let moved = shop.set_status(order, status).await;
        assert_eq!((moved.status, &moved.body["status"]), (200, &json!(status)));
        assert_eq!(moved.integer("orderId"), order);
        assert!(moved.headers.contains_key("x-event-id"));
        let again = shop.set_status(order, status).await;
        assert_eq!((again.status, &again.body), (200, &moved.body), "same status");
        assert!(!again.headers.contains_key("x-event-id"), "no event");
    }
    assert_eq!(shop.set_status(order, "PAID").await.body["allowed"], json!([]));
    assert_eq!(shop.databases.query_write("SELECT count(*) FROM outbox").await, 2 + 4);
    assert_eq!(stock(&shop).await, 97, "a refund returns no stock");

    let unpaid = shop.place_order(7, product, 1).await;
    shop.set_status(unpaid, "SHIPPED").await.assert_status(200);
    shop.caught_up().await;
    assert_eq!(shop.get(&format!("/api/orders/{order}")).await.body["status"], "REFUNDED");
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn a_cancelled_or_refunded_order_does_not_count_in_the_views() {
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
        let order = shop.place_order(8, product, 5).await;
        if status == "REFUNDED" {
            shop.set_status(order, "PAID").await;
        }
        shop.set_status(order, status).await.assert_status(200);
    }
    shop.caught_up().await;
    let mut after = figures().await;
    assert_eq!(after[2]["stock"], 92, "a refund returns no stock");
    after[2]["stock"] = json!(97);
    assert_eq!(after, before);
    let customer = shop.get("/api/analytics/customers/8/lifetime-value").await.body;
    assert_eq!((&customer["totalSpent"], &customer["orderCount"]), (&json!(0), &json!(0)));
    assert!(customer["lastOrderDate"].is_string(), "cancelled orders count for the date");
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

/// Repeats a command until its status is not 503.
async fn retry_while_busy(mut send: impl AsyncFnMut() -> Response) -> Response {
    eventually(async || send().await.ok_if(|response| response.status != 503)).await
}

#[tokio::test]
async fn concurrent_orders_and_cancellations_keep_the_stock_exact() {
    let shop = Shop::start().await;
    let product = shop.product("Scarce", "10", 20).await;
    // Each client orders a unit, cancels two of three orders, and so on.
    let clients = (1..=30).map(async |customer: i64| {
        let mut kept = 0;
        for round in 0..10 {
            let placed = retry_while_busy(async || shop.order(customer, product, 1).await).await;
            if placed.status != 201 {
                assert_eq!(placed.error(), "Insufficient stock");
            } else if round % 3 == 2 {
                kept += 1;
            } else {
                // Two concurrent cancellations have the effect of one.
                let order = placed.integer("orderId");
                let cancel =
                    || retry_while_busy(async || shop.set_status(order, "CANCELLED").await);
                for response in join_all([cancel(), cancel()]).await {
                    response.assert_status(200);
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
