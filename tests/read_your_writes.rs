//! A client sees its own command: a query that names the command's event responses as
//! soon as the views show it, and says so if they do not.

use crate::harness::{Response, Shop, client, eventually, order};
use futures::future::join_all;
use std::time::{Duration, Instant};

fn event_id(response: &Response) -> String {
    response.headers["x-event-id"].to_str().unwrap().to_owned()
}

fn is_stale(response: &Response) -> bool {
    response.headers.get("x-stale").is_some_and(|value| value == "true")
}

#[tokio::test]
async fn what_was_ordered_is_in_the_next_answer() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 10_000).await;
    let clients = (1..=8).map(async |customer| {
        for orders in 1..=25 {
            let placed = shop.order(customer, product, 1).await;
            let after = format!("?after={}&wait=10000&strict=true", event_id(&placed));
            let value = format!("/api/analytics/customers/{customer}/lifetime-value{after}");
            let value = shop.get(&value).await;
            assert_eq!(value.body["orderCount"], orders, "{}", value.text);
            assert!(!is_stale(&value));
            let path = format!("/api/orders/{}{after}", placed.integer("orderId"));
            assert_eq!(shop.get(&path).await.status, 200);
        }
    });
    join_all(clients).await;
    shop.stop().await;
}

#[tokio::test]
async fn past_the_wait_an_answer_says_that_it_is_stale() {
    let mut shop = Shop::start().await;
    let product = shop.product("Tea", "5", 10).await;
    shop.caught_up().await;
    shop.consumer.signal("STOP");
    let placed = shop.order(1, product, 1).await;
    let (event, path) = (event_id(&placed), format!("/api/analytics/products/{product}/sales"));
    let began = Instant::now();
    let stale = shop.get(&format!("{path}?after={event}&wait=300")).await;
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!((stale.status, is_stale(&stale), &stale.body["orderCount"]), (200, true, &0.into()));
    let strict = shop.get(&format!("{path}?after={event}&wait=0&strict=true")).await;
    assert_eq!((strict.status, strict.error()), (504, "Not visible yet"));
    let by_headers = client()
        .get(format!("http://{}{path}", shop.query.address("api").await))
        .header("x-after-event", &event)
        .header("x-wait", "0");
    assert!(is_stale(&Response::to(by_headers).await.unwrap()));

    // Many wait, and all are answered when it comes, long before their wait is over.
    let began = Instant::now();
    let asking = format!("{path}?after={event}&wait=10000");
    let waiting = (0..50).map(|_| shop.get(&asking));
    let going_on = async { shop.consumer.signal("CONT") };
    let (responses, ()) = tokio::join!(join_all(waiting), going_on);
    for response in responses {
        assert_eq!((is_stale(&response), &response.body["orderCount"]), (false, &1.into()));
    }
    assert!(began.elapsed() < Duration::from_secs(10));
    let wrong = shop.get(&format!("{path}?after=7&wait=-1&strict=perhaps")).await;
    assert_eq!((wrong.status, wrong.body["errors"].as_array().unwrap().len()), (400, 3));
    shop.consumer.kill();
    shop.stop().await;
}

/// Nobody is told any more once the connection that listens is gone.
#[tokio::test]
async fn who_waits_is_told_again_after_the_listening_connection_broke() {
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
        let body = order(1, product, 1);
        let placed = shop.post("/api/orders", &body).await;
        let after = format!("?after={}&wait=10000&strict=true", event_id(&placed));
        let value = shop.get(&format!("/api/analytics/customers/1/lifetime-value{after}")).await;
        assert_eq!(value.body["orderCount"], round, "{}", value.text);
        let listening = "SELECT count(*) FROM pg_stat_activity
                         WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        eventually(async || {
            let listening = shop.databases.query_read(listening).await;
            if listening > 0 { Ok(()) } else { Err(listening) }
        })
        .await;
    }
    shop.stop().await;
}
