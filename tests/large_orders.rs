//! Orders of up to 2,000 lines are accepted, are counted exactly, and do not block small
//! orders.

use crate::harness::database::DEAD_LETTERS;
use crate::harness::{Shop, assert_views_agree};
use futures::future::join_all;
use std::time::{Duration, Instant};

/// Maximum number of lines.
const LINES: usize = 2_000;

/// An order with this many lines, for these products in turn.
fn large(customer: i64, products: &[i64], lines: usize) -> String {
    let lines: Vec<String> = products
        .iter()
        .cycle()
        .take(lines)
        .map(|product| format!(r#"{{"productId":{product},"quantity":2}}"#))
        .collect();
    format!(r#"{{"customerId":{customer},"items":[{}]}}"#, lines.join(","))
}

#[tokio::test]
async fn an_order_with_2000_lines_is_in_all_views_and_one_with_2001_is_refused() {
    let shop = Shop::start().await;
    let mut products = Vec::new();
    for number in 0..50 {
        let category = format!("Category {}", number % 7);
        products.extend(join_all((0..10).map(|_| shop.product(&category, "0.05", 100))).await);
    }
    let placed = shop.post("/api/orders", &large(1, &products, LINES)).await;
    placed.assert_status(201);
    assert_eq!(placed.body["items"].as_array().unwrap().len(), LINES);
    assert_eq!(placed.body["total"].as_f64(), Some(200.0));
    let refused = shop.post("/api/orders", &large(1, &products, LINES + 1)).await;
    refused.assert_refused(400, "Invalid order data");
    assert!(refused.text.contains("must be a list of 1 to 2000 objects"), "{}", refused.text);

    shop.caught_up().await;
    let id = placed.integer("orderId");
    let read = shop.get(&format!("/api/orders/{id}")).await;
    assert_eq!(read.body["items"].as_array().unwrap().len(), LINES);
    let sales = shop.get(&format!("/api/analytics/products/{}/sales", products[0])).await;
    assert_eq!(
        sales.text,
        format!(
            r#"{{"productId":{},"totalQuantitySold":8,"totalRevenue":0.4,"totalSales":0.4,"orderCount":1}}"#,
            products[0]
        )
    );
    let customer = shop.get("/api/analytics/customers/1/lifetime-value").await;
    assert_eq!((customer.integer("totalSpent"), customer.integer("orderCount")), (200, 1));
    assert_views_agree(&shop.databases).await;

    let began = Instant::now();
    shop.set_status(id, "CANCELLED").await.assert_status(200);
    // Half of the statement timeout.
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    shop.caught_up().await;
    let customer = shop.get("/api/analytics/customers/1/lifetime-value").await;
    assert_eq!((customer.integer("totalSpent"), customer.integer("orderCount")), (0, 0));
    let taken = "SELECT count(*) FROM products WHERE stock <> 100";
    assert_eq!(shop.databases.query_write(taken).await, 0);
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn the_largest_possible_event_is_applied() {
    let shop = Shop::start().await;
    let (name, category) = ("𝄞".repeat(200), "𝄞".repeat(100));
    let body = format!(r#"{{"name":"{name}","category":"{category}","price":1.2345}}"#);
    let product = shop.post("/api/products", &body).await.integer("productId");
    let order = large(1, &[product], LINES);
    // The response is stored and replayed in full.
    let mut texts = Vec::new();
    for _ in 0..2 {
        let headers = [("idempotency-key", "large")];
        let placed = shop.post_with("/api/orders", &order, &headers).await;
        assert_eq!(placed.status, 201, "{}", &placed.text[..200]);
        texts.push(placed.text);
    }
    assert!(texts[0] == texts[1]);
    shop.caught_up().await;
    assert_eq!(shop.databases.query_read(DEAD_LETTERS).await, 0);
    let bytes = "SELECT max(octet_length(payload::text))::bigint FROM outbox";
    assert!(shop.databases.query_write(bytes).await > 2_500_000);
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn small_orders_are_accepted_concurrently_with_large_ones() {
    let shop = Shop::start().await;
    let products = join_all((0..20).map(|_| shop.product("Tea", "0.05", 1_000_000))).await;
    let bodies: Vec<String> =
        (0..12).map(|customer| large(customer + 1, &products, LINES)).collect();
    let large = join_all(bodies.iter().map(|body| shop.post("/api/orders", body)));
    let small = join_all((0..200).map(|number: usize| {
        let product = products[number % products.len()];
        shop.order(100 + number as i64, product, 1)
    }));
    let (large, small) = tokio::join!(large, small);
    for response in large.iter().chain(&small) {
        response.assert_status(201);
    }
    let lines = "SELECT count(*) FROM order_items";
    assert_eq!(shop.databases.query_write(lines).await, 12 * LINES as i64 + 200);
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    shop.place_order(1, products[0], 1).await;
    shop.stop().await;
}
