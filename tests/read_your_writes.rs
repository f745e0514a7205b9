//! Read your writes: a query that names an event responds as soon as the views include it. A
//! response without it is marked as stale.

use crate::harness::{Response, Shop, client};
use futures::future::join_all;
use std::time::{Duration, Instant};

fn is_stale(response: &Response) -> bool {
    response.headers.get("x-stale").is_some_and(|value| value == "true")
}

#[tokio::test]
async fn the_next_query_includes_the_order_that_it_names() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 10_000).await;
    let clients = (1..=8).map(async |customer| {
        for orders in 1..=25 {
            let placed = shop.order(customer, product, 1).await;
            let after = format!("?after={}&wait=10000&strict=true", placed.event_id());
            let value = format!("/api/analytics/customers/{customer}/lifetime-value{after}");
            let value = shop.get(&value).await;
            assert_eq!(value.body["orderCount"], orders, "{}", value.text);
            assert!(!is_stale(&value));
            let path = format!("/api/orders/{}{after}", placed.integer("orderId"));
            shop.get(&path).await.assert_status(200);
        }
    });
    join_all(clients).await;
    shop.stop().await;
}

#[tokio::test]
async fn a_response_after_the_wait_is_marked_as_stale() {
    let mut shop = Shop::start().await;
    let product = shop.product("Tea", "5", 10).await;
    shop.caught_up().await;
    shop.consumer.signal("STOP");
    let placed = shop.order(1, product, 1).await;
    let (event, path) = (placed.event_id(), format!("/api/analytics/products/{product}/sales"));
    let began = Instant::now();
    let stale = shop.get(&format!("{path}?after={event}&wait=300")).await;
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!((stale.status, is_stale(&stale), &stale.body["orderCount"]), (200, true, &0.into()));
    let strict = shop.get(&format!("{path}?after={event}&wait=0&strict=true")).await;
    strict.assert_refused(504, "Not visible yet");
    let by_headers = client()
        .get(shop.query.url("api", &path).await)
        .header("x-after-event", event)
        .header("x-wait", "0");
    assert!(is_stale(&Response::to(by_headers).await.unwrap()));

    // Many queries wait, and all get a response when the event is applied.
    let began = Instant::now();
    let waiting_path = format!("{path}?after={event}&wait=10000");
    let waiting = (0..50).map(|_| shop.get(&waiting_path));
    let continuing = async { shop.consumer.signal("CONT") };
    let (responses, ()) = tokio::join!(join_all(waiting), continuing);
    for response in responses {
        assert_eq!((is_stale(&response), &response.body["orderCount"]), (false, &1.into()));
    }
    assert!(began.elapsed() < Duration::from_secs(10));
    let wrong = shop.get(&format!("{path}?after=7&wait=-1&strict=perhaps")).await;
    assert_eq!((wrong.status, wrong.body["errors"].as_array().unwrap().len()), (400, 3));
    shop.consumer.kill();
    shop.stop().await;
}

#[tokio::test]
async fn waiting_queries_get_responses_after_the_listening_connection_broke() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 10_000).await;
    for round in 1..=3 {
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND query LIKE 'LISTEN%'",
        )
        .execute(&shop.databases.read)
        .await
        .unwrap();
        let placed = shop.order(1, product, 1).await;
        let after = format!("?after={}&wait=10000&strict=true", placed.event_id());
        let value = shop.get(&format!("/api/analytics/customers/1/lifetime-value{after}")).await;
        assert_eq!(value.body["orderCount"], round, "{}", value.text);
        let listening = "SELECT count(*) FROM pg_stat_activity
                         WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        shop.databases.wait_for_read(listening, 1).await;
    }
    shop.stop().await;
}
