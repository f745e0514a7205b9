//! Command services remember products, but sell none by memory alone.

use crate::harness::Shop;

/// Changes the write database as somebody with psql does.
async fn by_hand(shop: &Shop, statement: &'static str) {
    sqlx::raw_sql(statement).execute(&shop.databases.write).await.unwrap();
}

#[tokio::test]
async fn what_is_changed_by_hand_holds_for_the_next_order() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 10).await;
    assert_eq!(shop.order(1, product, 1).await.body["total"], 5);

    by_hand(&shop, "UPDATE products SET price = 6.25, name = 'Better tea'").await;
    let order = shop.order(1, product, 1).await;
    assert_eq!(order.body["total"], 6.25, "{}", order.text);
    assert_eq!(order.body["items"][0]["productName"], "Better tea");

    by_hand(&shop, "UPDATE products SET stock = 1").await;
    let refused = shop.order(1, product, 2).await;
    assert_eq!((refused.status, refused.error()), (400, "Insufficient stock"));

    by_hand(&shop, "UPDATE products SET stock = 2").await;
    assert_eq!(shop.order(1, product, 2).await.status, 201);
    assert_eq!(shop.databases.query_write("SELECT stock::bigint FROM products").await, 0);
    shop.stop().await;
}

#[tokio::test]
async fn a_price_changed_by_one_service_holds_for_the_next_order_of_another() {
    let shop = Shop::start().await;
    let other = shop.another_command_service();
    other.healthy().await;
    let product = shop.product("Tea", "5", 10).await;
    let client = crate::harness::client();
    let order = async |total: f64| {
        let request = client
            .post(format!("http://{}/api/orders", other.address("api").await))
            .header("content-type", "application/json")
            .body(crate::harness::order(7, product, 1));
        let response = crate::harness::Response::to(request).await.unwrap();
        assert_eq!(response.body["total"].as_f64(), Some(total), "{}", response.text);
    };
    for price in [5.0, 4.0, 4.5] {
        let path = format!("/api/products/{product}/price");
        let body = format!(r#"{{"price":{price}}}"#);
        let changed = shop.command(reqwest::Method::PUT, &path, &body).await;
        assert_eq!(changed.status, 200, "{}", changed.text);
        order(price).await;
        order(price).await;
    }
    drop(other);
    shop.stop().await;
}

#[tokio::test]
async fn after_the_database_was_emptied_nothing_of_before_is_sold() {
    let shop = Shop::start().await;
    let before = shop.product("Tea", "5", 10).await;
    assert_eq!(shop.order(1, before, 1).await.body["total"], 5);
    by_hand(
        &shop,
        "TRUNCATE products, customers, orders, order_items, outbox RESTART IDENTITY CASCADE",
    )
    .await;
    // The same id, and the same version as the one that was sold.
    let after = shop.product("Mugs", "7", 10).await;
    assert_eq!(after, before);
    let path = format!("/api/products/{after}/price");
    shop.command(reqwest::Method::PUT, &path, r#"{"price":8}"#).await;
    let order = shop.order(1, after, 1).await;
    assert_eq!(order.body["total"], 8, "{}", order.text);
    assert_eq!(order.body["items"][0]["category"], "Mugs");
    shop.stop().await;
}
