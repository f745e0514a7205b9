//! A request whose client disconnects causes no loss of later commands and has no partial
//! effect.

use crate::harness::{Shop, assert_views_agree, client, order};
use std::time::Duration;

#[tokio::test]
async fn commands_accepted_after_dropped_requests_are_not_lost() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 1_000_000).await;
    let address = shop.command.address("api").await;
    let product_body = r#"{"name":"Dropped","category":"Tea","price":1}"#;
    for round in 0..200_u64 {
        let client = client();
        let (path, body) = if round % 2 == 0 {
            ("products", product_body.to_owned())
        } else {
            ("orders", order(1, product, 1))
        };
        let request = client
            .post(format!("http://{address}/api/{path}"))
            .header("content-type", "application/json")
            .timeout(Duration::from_micros(200 + 37 * round))
            .body(body);
        let _ = request.send().await;
    }
    let mut created = Vec::new();
    for _ in 0..50 {
        created.push(shop.product("Kept", "1", 1).await);
        shop.place_order(2, product, 1).await;
    }
    shop.caught_up().await;
    let kept = "SELECT count(*) FROM products WHERE category = 'Kept'";
    assert_eq!(shop.databases.query_write(kept).await, created.len() as i64);
    let orders = "SELECT count(*) FROM orders WHERE customer_id = 2";
    assert_eq!(shop.databases.query_write(orders).await, 50);
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}
