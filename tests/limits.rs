//! What is too much is refused in words, and keeps nobody else from being served. (What
//! bodies may hold: `input_validation`.)

use crate::harness::{Response, Shop, client, eventually, json};
use reqwest::Method;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What a server responses to these bytes, until it closes the connection.
async fn said(address: &str, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may close before it has read all.
    let _ = stream.write_all(bytes.as_bytes()).await;
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response).await;
    String::from_utf8_lossy(&response).into_owned()
}

#[tokio::test]
async fn heads_have_limits() {
    let shop = Shop::start().await;
    for service in [&shop.command, &shop.query] {
        let address = service.address("api").await;
        let head = |path: &str, headers: &str| {
            format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n")
        };
        let long_path = said(&address, &head(&format!("/{}", "x".repeat(8192)), "")).await;
        assert!(long_path.starts_with("HTTP/1.1 414") && long_path.contains("Address too long"));
        let longest_path = said(&address, &head(&format!("/{}", "x".repeat(8191)), "")).await;
        assert!(longest_path.starts_with("HTTP/1.1 404"), "{longest_path}");
        let large =
            said(&address, &head("/health", &format!("x: {}\r\n", "x".repeat(140_000)))).await;
        assert!(large.starts_with("HTTP/1.1 431"), "{large}");
        let many = said(&address, &head("/health", &"x: y\r\n".repeat(100))).await;
        assert!(many.starts_with("HTTP/1.1 431"), "{many}");
        let fine = said(&address, &head("/health", &"x: y\r\n".repeat(90))).await;
        assert!(fine.starts_with("HTTP/1.1 200"), "{fine}");
    }
    shop.stop().await;
}

#[tokio::test]
async fn an_address_has_so_many_connections() {
    let shop = Shop::start_with(&[("CONNECTIONS_PER_ADDRESS", "3")]).await;
    let address = shop.query.address("api").await;
    let ask = async |stream: &mut TcpStream| {
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await.ok()?;
        let mut response = [0; 12];
        stream.read_exact(&mut response).await.ok()?;
        (&response == b"HTTP/1.1 200").then_some(())
    };
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        ask(&mut stream).await.unwrap();
        open.push(stream);
    }
    let mut one_more = TcpStream::connect(&address).await.unwrap();
    assert_eq!(ask(&mut one_more).await, None);
    open.pop();
    eventually(async || {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        ask(&mut stream).await.ok_or("still too many")
    })
    .await;
    shop.stop().await;
}

/// The head of a command with a body of so many bytes.
fn command_head(path: &str, bytes: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         connection: close\r\ncontent-length: {bytes}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_body_that_does_not_come_is_refused_and_had_no_effect() {
    let shop = Shop::start().await;
    let address = shop.command.address("api").await;
    let began = Instant::now();
    let response = said(&address, &format!("{}{{", command_head("/api/products", 10))).await;
    assert!(
        response.starts_with("HTTP/1.1 408") && response.contains("Body timed out"),
        "{response}"
    );
    assert!(response.contains("had no effect"), "{response}");
    assert!(began.elapsed() > Duration::from_secs(14));
    shop.stop().await;
}

#[tokio::test]
async fn a_client_that_only_stops_sending_gets_its_response() {
    let shop = Shop::start().await;
    let address = shop.command.address("api").await;
    let body = r#"{"name":"Half","category":"Tea","price":1}"#;
    let sent_by_halves = async |bytes: &str| {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        response
    };
    let whole = format!("{}{body}", command_head("/api/products", body.len()));
    let created = sent_by_halves(&whole).await;
    assert!(created.starts_with("HTTP/1.1 201"), "{created}");
    // One that stops in the middle of its body.
    let cut = sent_by_halves(&whole[..whole.len() - 1]).await;
    assert!(cut.starts_with("HTTP/1.1 400") && cut.contains("Unreadable body"), "{cut}");
    assert!(cut.contains("had no effect"), "{cut}");
    assert_eq!(shop.databases.query_write("SELECT count(*) FROM products").await, 1);
    shop.stop().await;
}

#[tokio::test]
async fn a_statement_that_hangs_is_ended_and_had_no_effect() {
    let shop = Shop::start().await;
    sqlx::raw_sql(
        "CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             PERFORM pg_sleep(3600);
             RETURN NEW;
         END
         $$;
         CREATE TRIGGER hang BEFORE INSERT ON products
         FOR EACH ROW WHEN (NEW.name = 'Hanging') EXECUTE FUNCTION hang();
         CREATE TRIGGER hang BEFORE INSERT ON orders
         FOR EACH ROW WHEN (NEW.customer_id = 666) EXECUTE FUNCTION hang()",
    )
    .execute(&shop.databases.write)
    .await
    .unwrap();
    let product = shop.product("Tea", "5", 10).await;
    let hanging = r#"{"name":"Hanging","category":"Tea","price":1}"#;
    let url = format!("http://{}/api/products", shop.command.address("api").await);
    let created = Response::to(json(&client(), Method::POST, url, hanging)).await.unwrap();
    assert_eq!((created.status, created.error()), (503, "Service unavailable"));
    let ordered = shop.order(666, product, 1).await;
    assert_eq!((ordered.status, ordered.error()), (503, "Service unavailable"));
    // Nothing of it goes on, and others are served.
    let hangs = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event = 'PgSleep'";
    eventually(async || {
        let hanging = shop.databases.query_write(hangs).await;
        if hanging == 0 { Ok(()) } else { Err(hanging) }
    })
    .await;
    assert_eq!(shop.order(1, product, 1).await.status, 201);
    assert_eq!(shop.databases.query_write("SELECT count(*) FROM orders").await, 1);
    shop.stop().await;
}
