//! What was answered is soon visible, without other traffic to push it along.

use crate::harness::{Shop, client};
use hdrhistogram::Histogram;
use std::time::Instant;

/// Prints how long it takes from the response to a POST until the product view
/// shows it: `cargo stack test view_latency -- --nocapture`.
#[tokio::test]
async fn an_order_shows_in_the_product_view() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 1_000_000).await;
    shop.caught_up().await;
    let url = format!(
        "http://{}/api/analytics/products/{product}/sales",
        shop.query.address("api").await
    );
    let client = client();
    let mut times = Histogram::<u64>::new(3).unwrap();
    for number in 1..=200 {
        assert_eq!(shop.order(1, product, 1).await.status, 201);
        let answered = Instant::now();
        loop {
            let sales: serde_json::Value =
                client.get(&url).send().await.unwrap().json().await.unwrap();
            if sales["orderCount"] == number {
                break;
            }
            assert!(answered.elapsed().as_secs() < 60, "{sales} after order {number}");
        }
        times.record(u64::try_from(answered.elapsed().as_micros()).unwrap()).unwrap();
    }
    let milliseconds = |quantile| times.value_at_quantile(quantile) as f64 / 1000.0;
    println!(
        "from the response to the view, 200 orders one by one: median {:.1} ms, p99 {:.1} ms, \
         max {:.1} ms",
        milliseconds(0.5),
        milliseconds(0.99),
        times.max() as f64 / 1000.0,
    );
    shop.stop().await;
}
