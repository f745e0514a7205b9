//! An accepted order appears in the views soon, without further traffic.

use crate::harness::{Response, Shop, client};
use hdrhistogram::Histogram;
use std::time::Instant;

/// Prints the time from the response to an order until the product view includes it:
/// `cargo stack test view_latency -- --nocapture`.
#[tokio::test]
async fn an_order_appears_in_the_product_view_without_further_traffic() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 1_000_000).await;
    shop.caught_up().await;
    let path = format!("/api/analytics/products/{product}/sales");
    let (client, url) = (client(), shop.query.url("api", &path).await);
    let mut times = Histogram::<u64>::new(3).unwrap();
    for number in 1..=200 {
        shop.place_order(1, product, 1).await;
        let accepted = Instant::now();
        // This polls without pause, to measure the latency.
        loop {
            let sales = Response::to(client.get(&url)).await.unwrap();
            if sales.body["orderCount"] == number {
                break;
            }
            assert!(accepted.elapsed().as_secs() < 60, "{} after order {number}", sales.text);
        }
        times.record(u64::try_from(accepted.elapsed().as_micros()).unwrap()).unwrap();
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
