//! Requests beyond a limit of size, time or connections are refused with a clear response and
//! do not affect other clients. (For the contents of bodies: `input_validation`.)

use crate::harness::database::SLEEPING;
use crate::harness::{Shop, eventually};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The response to these bytes, read until the server closes the connection.
async fn response_to(address: &str, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may close the connection before it has read everything.
    let _ = stream.write_all(bytes.as_bytes()).await;
    let mut response = Vec::new();
    let reading = stream.read_to_end(&mut response);
    let _ = tokio::time::timeout(Duration::from_secs(60), reading).await.expect("not closed");
    String::from_utf8_lossy(&response).into_owned()
}

/// The same, and the time until the server has closed the connection.
async fn timed_response_to(address: &str, bytes: &str) -> (String, Duration) {
    let began = Instant::now();
    (response_to(address, bytes).await, began.elapsed())
}

#[tokio::test]
async fn request_heads_are_limited_in_size() {
    let shop = Shop::start().await;
    for service in [&shop.command, &shop.query] {
        let address = service.address("api").await;
        let head = |path: &str, headers: &str| {
            format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n")
        };
        let path = |bytes: usize| format!("/{}", "x".repeat(bytes));
        let large = format!("x: {}\r\n", "x".repeat(140_000));
        for (request, expected) in [
            (head(&path(8192), ""), "HTTP/1.1 414"),
            (head(&path(8191), ""), "HTTP/1.1 404"),
            (head("/health", &large), "HTTP/1.1 431"),
            (head("/health", &"x: y\r\n".repeat(100)), "HTTP/1.1 431"),
            (head("/health", &"x: y\r\n".repeat(90)), "HTTP/1.1 200"),
            // A head without an end.
            (format!("GET /health HTTP/1.1\r\nX-Long: {}", "x".repeat(100_000)), "HTTP/1.1 431"),
        ] {
            let response = response_to(&address, &request).await;
            assert!(response.starts_with(expected), "not {expected}: {response}");
        }
        let too_long = response_to(&address, &head(&path(8192), "")).await;
        assert!(too_long.contains("Address too long"), "{too_long}");
    }
    shop.stop().await;
}

#[tokio::test]
async fn connections_per_address_are_limited() {
    let shop = Shop::start_with(&[("CONNECTIONS_PER_ADDRESS", "3")]).await;
    let address = shop.query.address("api").await;
    let request_health = async |stream: &mut TcpStream| {
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await.ok()?;
        let mut response = [0; 12];
        stream.read_exact(&mut response).await.ok()?;
        (&response == b"HTTP/1.1 200").then_some(())
    };
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        request_health(&mut stream).await.unwrap();
        open.push(stream);
    }
    let mut one_more = TcpStream::connect(&address).await.unwrap();
    assert_eq!(request_health(&mut one_more).await, None);
    open.pop();
    eventually(async || {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        request_health(&mut stream).await.ok_or("still too many")
    })
    .await;
    shop.stop().await;
}

/// The head of a command with a body of this many bytes.
fn command_head(path: &str, bytes: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         connection: close\r\ncontent-length: {bytes}\r\n\r\n"
    )
}

#[tokio::test]
async fn incomplete_requests_time_out() {
    let shop = Shop::start().await;
    let command = shop.command.address("api").await;
    let operations = shop.consumer.address("operations").await;
    let half_a_body = format!("{}{{", command_head("/api/products", 10));
    let (nothing, half_a_head, half_an_operations_head, half_a_body) = tokio::join!(
        timed_response_to(&command, ""),
        timed_response_to(&command, "POST /api/orders HTTP/1.1\r\nHost: x\r\nX-Slow: "),
        timed_response_to(&operations, "GET /health HTTP/1.1\r\n"),
        timed_response_to(&command, &half_a_body),
    );
    for (response, time) in [nothing, half_a_head, half_an_operations_head] {
        assert!(response.is_empty() || response.starts_with("HTTP/1.1 408"), "{response}");
        assert!(time > Duration::from_secs(10), "{time:?} is too short for a slow connection");
    }
    let (response, time) = half_a_body;
    let is_refused = response.starts_with("HTTP/1.1 408") && response.contains("Body timed out");
    assert!(is_refused && response.contains("had no effect"), "{response}");
    assert!(time > Duration::from_secs(14));
    shop.stop().await;
}

#[tokio::test]
async fn a_client_that_closes_its_sending_side_gets_a_response() {
    let shop = Shop::start().await;
    let address = shop.command.address("api").await;
    let body = r#"{"name":"Half","category":"Tea","price":1}"#;
    let send = async |bytes: &str| {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        response
    };
    let complete = format!("{}{body}", command_head("/api/products", body.len()));
    let created = send(&complete).await;
    assert!(created.starts_with("HTTP/1.1 201"), "{created}");
    let truncated = send(&complete[..complete.len() - 1]).await;
    let is_refused = truncated.starts_with("HTTP/1.1 400") && truncated.contains("Unreadable body");
    assert!(is_refused && truncated.contains("had no effect"), "{truncated}");
    assert_eq!(shop.databases.query_write("SELECT count(*) FROM products").await, 1);
    shop.stop().await;
}

#[tokio::test]
async fn a_statement_that_hangs_is_cancelled_and_has_no_effect() {
    let shop = Shop::start().await;
    for (table, condition) in
        [("products", "NEW.name = 'Hanging'"), ("orders", "NEW.customer_id = 666")]
    {
        shop.databases.delay_writes(table, condition, 3600.0).await;
    }
    let product = shop.product("Tea", "5", 10).await;
    let hanging = r#"{"name":"Hanging","category":"Tea","price":1}"#;
    shop.post("/api/products", hanging).await.assert_refused(503, "Service unavailable");
    shop.order(666, product, 1).await.assert_refused(503, "Service unavailable");
    shop.databases.wait_for_write(SLEEPING, 0).await;
    shop.place_order(1, product, 1).await;
    assert_eq!(shop.databases.query_write("SELECT count(*) FROM orders").await, 1);
    shop.stop().await;
}
