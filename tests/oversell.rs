//! Stock never becomes negative, even with concurrent orders.

use crate::harness::{Response, Shop, assert_views_agree, client, eventually, order};
use futures::future::join_all;

#[tokio::test]
async fn concurrent_orders_beyond_the_stock_are_refused_completely() {
    let shop = Shop::start().await;
    let scarce = shop.product("Scarce", "10", 50).await;
    let plenty = shop.product("Plenty", "1", 1_000_000).await;
    // With two command services the row locks decide, not only one order batcher.
    let other = shop.another_command_service();
    other.healthy().await;
    let (here, there) = (shop.command.address("api").await, other.address("api").await);

    let client = client();
    let attempts = (0..200).map(|number: i64| {
        let address = if number % 2 == 0 { &here } else { &there };
        let body = match number % 4 {
            // Half of the orders have two lines, in either sequence.
            0 => two_lines(number, scarce, plenty),
            1 => two_lines(number, plenty, scarce),
            _ => order(number + 1, scarce, 1),
        };
        let request = client
            .post(format!("http://{address}/api/orders"))
            .header("content-type", "application/json")
            .body(body);
        // 503 means that the other service holds the lock: try again.
        eventually(async move || match Response::to(request.try_clone().unwrap()).await {
            Ok(response) if response.status != 503 => Ok(response),
            again => Err(again),
        })
    });
    let responses: Vec<Response> = join_all(attempts).await;

    let accepted = responses.iter().filter(|response| response.status == 201).count();
    assert_eq!(accepted, 50);
    for refused in responses.iter().filter(|response| response.status != 201) {
        refused.assert_refused(400, "Insufficient stock");
    }
    shop.caught_up().await;
    let left = "SELECT stock::bigint FROM products ORDER BY id LIMIT 1";
    assert_eq!(shop.databases.query_write(left).await, 0);
    assert_eq!(shop.databases.query_write("SELECT count(*) FROM orders").await, 50);
    let customers = "SELECT count(*) FROM customers";
    assert_eq!(
        shop.databases.query_write(customers).await,
        50,
        "a refused order creates no customer"
    );
    assert_views_agree(&shop.databases).await;
    drop(other);
    shop.stop().await;
}

fn two_lines(number: i64, first: i64, second: i64) -> String {
    format!(
        r#"{{"customerId":{},"items":[{{"productId":{first},"quantity":1}},
            {{"productId":{second},"quantity":1}}]}}"#,
        number + 1
    )
}
