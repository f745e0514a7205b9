//! Limits: what there is no room for is refused with a clear response and a time to come
//! again, and nobody is kept by a client that does not get on.

use crate::harness::{Links, Response, Servers, Shop, assert_views_agree, client, eventually};
use futures::future::join_all;
use reqwest::Method;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_full_outbox_refuses_commands_until_the_broker_has_taken_some() {
    let servers = Servers::of_environment();
    let links = Links::to(&servers);
    links.open().await;
    let mut shop = Shop::spawn(&servers, links.ports(), None).await;
    shop.command.restart_with("OUTBOX_LIMIT", "20");
    shop.command.healthy().await;
    let product = shop.product("Tea", "5", 1_000_000).await;
    shop.caught_up().await;
    links.command_broker.cut().await;
    let refused = eventually(async || {
        let response = shop.order(1, product, 1).await;
        if response.status == 201 { Err(response.text) } else { Ok(response) }
    })
    .await;
    assert_eq!((refused.status, refused.error()), (503, "Outbox full"));
    assert_eq!(refused.headers["retry-after"], "5");
    // Commands of other topics are accepted until these are full, too.
    let health = shop.command.health().await;
    assert_eq!((health.status, &health.body["outbox"]["status"]), (200, &"down".into()));
    let path = format!("/api/products/{product}/price");
    let change = async || shop.command(Method::PUT, &path, r#"{"price":6}"#).await;
    assert_eq!(change().await.status, 200);
    eventually(async || {
        let response = change().await;
        if response.error() == "Outbox full" { Ok(()) } else { Err(response.text) }
    })
    .await;
    let user = async |number: usize| {
        let body = format!(r#"{{"name":"Ada","email":"ada{number}@example.com"}}"#);
        shop.post("/api/users", &body).await
    };
    for number in 0..20 {
        assert_eq!(user(number).await.status, 201);
    }
    // Then the service refuses every command.
    eventually(async || {
        let health = shop.command.health().await;
        if health.status == 503 { Ok(()) } else { Err(health.text) }
    })
    .await;
    assert_eq!(user(20).await.error(), "Outbox full");
    assert_eq!(shop.get("/api/products").await.status, 200);

    links.command_broker.open().await;
    eventually(async || {
        let response = shop.order(1, product, 1).await;
        if response.status == 201 { Ok(()) } else { Err(response.text) }
    })
    .await;
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

/// What a server says to a client that sends no more than that, and after how long it
/// closes the connection.
async fn closed_after(address: &str, sent: &str) -> (String, Duration) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    let reading = stream.read_to_end(&mut response);
    let _ = tokio::time::timeout(Duration::from_secs(60), reading).await.expect("not cut");
    (String::from_utf8_lossy(&response).into_owned(), began.elapsed())
}

#[tokio::test]
async fn clients_that_do_not_get_on_are_cut() {
    let shop = Shop::start().await;
    let command = shop.command.address("api").await;
    let operations = shop.consumer.address("operations").await;
    let body = "POST /api/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                Content-Length: 100\r\nConnection: close\r\n\r\n{";
    let (nothing, half_a_head, of_operations, half_a_body) = tokio::join!(
        closed_after(&command, ""),
        closed_after(&command, "POST /api/orders HTTP/1.1\r\nHost: x\r\nX-Slow: "),
        closed_after(&operations, "GET /health HTTP/1.1\r\n"),
        closed_after(&command, body),
    );
    for (response, time) in [nothing, half_a_head, of_operations] {
        assert!(response.is_empty() || response.starts_with("HTTP/1.1 408"), "{response}");
        assert!(time > Duration::from_secs(10), "cut after {time:?}, too soon for a slow line");
    }
    assert!(half_a_body.0.starts_with("HTTP/1.1 408"), "{}", half_a_body.0);
    // Nor is a head without end kept in memory.
    let endless = format!("GET /health HTTP/1.1\r\nX-Long: {}", "x".repeat(100_000));
    let (response, _) = closed_after(&command, &endless).await;
    assert!(response.starts_with("HTTP/1.1 431"), "{response}");
    shop.stop().await;
}

#[tokio::test]
async fn more_requests_than_there_is_room_for_are_told_to_come_again() {
    let shop = Shop::start().await;
    let product = shop.product("Held", "5", 10_000).await;
    let mut operator = shop.databases.write.begin().await.unwrap();
    sqlx::query("SELECT FROM products FOR UPDATE").execute(&mut *operator).await.unwrap();
    let client = client();
    let url = format!("http://{}/api/orders", shop.command.address("api").await);
    let order = crate::harness::order(1, product, 1);
    let orders = (0..3_000).map(|_| {
        let request = client.post(&url).header("content-type", "application/json");
        Response::to(request.body(order.clone()))
    });
    for response in join_all(orders).await {
        let response = response.unwrap();
        assert_eq!(response.status, 503, "{}", response.text);
        assert_eq!(response.headers["retry-after"], "1");
    }
    operator.rollback().await.unwrap();
    eventually(async || {
        let response = shop.order(1, product, 1).await;
        if response.status == 201 { Ok(()) } else { Err(response.text) }
    })
    .await;
    shop.stop().await;
}

#[tokio::test]
async fn requests_under_way_are_answered_before_a_service_stops() {
    let mut shop = Shop::start().await;
    let product = shop.product("Held", "5", 100).await;
    let mut operator = shop.databases.write.begin().await.unwrap();
    sqlx::query("SELECT FROM products FOR UPDATE").execute(&mut *operator).await.unwrap();
    let address = shop.command.address("api").await;
    let change = client().put(format!("http://{address}/api/products/{product}/price"));
    let change = change.header("content-type", "application/json").body(r#"{"price":6}"#);
    let changing = tokio::spawn(Response::to(change));
    // It waits for the product's row.
    eventually(async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let waiting = shop.databases.query_write(waiting).await;
        if waiting > 0 { Ok(()) } else { Err("nobody waits") }
    })
    .await;
    shop.command.signal("TERM");
    eventually(async || {
        let refused = TcpStream::connect(&address).await.is_err();
        if refused { Ok(()) } else { Err("still listening") }
    })
    .await;
    operator.rollback().await.unwrap();
    let changed = changing.await.unwrap().unwrap();
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert!(shop.command.wait_for_exit().await.success());
    shop.command.restart();
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}
