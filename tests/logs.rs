//! With any input of clients, log lines stay well-formed and contain no control characters, no
//! secrets and no personal data.

use crate::harness::database::DEAD_LETTERS;
use crate::harness::{Response, Service, Shop, account, eventually, execute};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Texts that no log may contain.
const PRIVATE: [&str; 5] = ["Lovelace", "ada@example", "Main Street", "s3cret", ":password@"];

/// The log levels with most lines of our own code.
const DEBUG_LEVELS: &str = "info,access=debug,service_runtime=debug,command_service=debug,consumer_service=debug,\
     query_service=debug,sqlx=debug";

/// Sends bytes that a client library would not send.
async fn send_raw(service: &Service, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(service.address("api").await).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut response = Vec::new();
    // The server may close the connection before it has read everything.
    let _ = stream.read_to_end(&mut response).await;
    String::from_utf8_lossy(&response).into_owned()
}

/// Sends requests with control characters, secrets and personal data in every place that
/// might be logged.
async fn send_hostile_requests(shop: &Shop) {
    let long = "x".repeat(10_000);
    for service in [&shop.command, &shop.query] {
        for head in [
            "GET /api/users/ada@example.com?email=ada@example.com HTTP/1.1",
            "GET /api/analytics/categories/a%0a2026-01-01T00:00:00Z%20ERROR%1b[2J/revenue HTTP/1.1",
            "GET /\u{1b}[2J\u{85}\u{2028} HTTP/1.1",
            "F\u{1b}O /api/users HTTP/1.1",
            "ADA-LOVELACE /api/users/Lovelace HTTP/1.1",
        ] {
            for id in ["ada@example.com", "a\u{1b}[31mb", "a b=c", "\u{9b}2J", &long] {
                let request = format!(
                    "{head}\r\nHost: shop\r\nConnection: close\r\nX-Request-Id: {id}\r\n\
                     Authorization: Bearer s3cret\r\nX-Api-Key: s3cret\r\nCookie: s3cret\r\n\
                     traceparent: 00-\u{1b}[2J\r\nIdempotency-Key: \u{1b}ada@example.com\r\n\r\n"
                );
                let response = send_raw(service, request.as_bytes()).await;
                assert!(response.starts_with("HTTP/1.1 4") || response.starts_with("HTTP/1.1 2"));
            }
        }
    }
}

/// Sends valid and invalid commands with personal data.
async fn send_personal_data(shop: &Shop) {
    let user = r#"{"name":"Ada Lovelace","email":"ada@example.com"}"#;
    let created = shop.post("/api/users", user).await;
    created.assert_status(201);
    shop.post("/api/users", user).await.assert_status(409);
    for body in [
        r#"{"name":["Ada Lovelace"],"email":"ada@example.com\u001b[2J\n"}"#,
        r#"{"name":"Ada Lovelace","email":"ada@example.com""#,
        r#""ada@example.com""#,
    ] {
        shop.post("/api/users", body).await.assert_status(400);
    }
    let account = account(created.integer("userId"), "1 Main Street");
    shop.post("/api/accounts", &account).await.assert_status(201);
    shop.caught_up().await;
}

/// Publishes events that become dead letters with reasons that quote them.
async fn publish_hostile_events(shop: &Shop) {
    let event = |rest: &str| {
        let head = r#""eventId":"a\u001b[2J","timestamp":"2026-01-01T00:00:00Z""#;
        format!("{{{head},{rest}}}").into_bytes()
    };
    let bodies = [
        b"ada@example.com \x1b[2J\nnot JSON".to_vec(),
        event(r#""eventType":"ada@example.com\u001b[2J\nERROR""#),
        event(r#""eventType":"UserCreated","userId":"ada@example.com","name":"Ada Lovelace""#),
        event(r#""eventType":"AccountCreated","userId":1,"accountId":{"Main Street":1}"#),
    ];
    let mut headers = FieldTable::default();
    let hostile = AMQPValue::LongString("00-\u{1b}[2Jada@example.com".into());
    headers.insert("traceparent".into(), hostile);
    let properties = BasicProperties::default()
        .with_message_id("ada@example.com\u{1b}[2J\n".into())
        .with_type("ada@example.com\u{1b}[2J\n".into())
        .with_headers(headers);
    shop.broker.publish_with("user-events", &bodies, properties).await;
    eventually(async || {
        let letters = shop.databases.query_read(DEAD_LETTERS).await;
        if letters >= 2 { Ok(()) } else { Err(letters) }
    })
    .await;
    // Now everything has been logged.
    shop.caught_up().await;
}

/// Causes an internal error, of which clients get no details.
async fn cause_internal_error(shop: &Shop) -> Response {
    let rename = "ALTER TABLE users RENAME COLUMN email TO e_mail";
    execute(&shop.databases.write, rename).await;
    let user = r#"{"name":"Ada Lovelace","email":"ada@example.org"}"#;
    let failed = shop.post_with("/api/users", user, &[("x-request-id", "failed-1")]).await;
    failed.assert_refused(500, "Internal error");
    failed
}

fn assert_harmless(service: &Service) {
    let log = service.log();
    for private in PRIVATE {
        let line = log.lines().find(|line| line.contains(private));
        assert_eq!(line, None, "{private} in the log of {}", service.name());
    }
    let control = log.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{2028}');
    assert_eq!(control, None, "in the log of {}", service.name());
}

/// Whether a line begins with time, level and target.
fn is_complete_line(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let is_time = |word: &str| word.len() == 27 && word.ends_with('Z') && word.contains('T');
    words.next().is_some_and(is_time)
        && words.next().is_some_and(|word| ["ERROR", "WARN", "INFO", "DEBUG"].contains(&word))
        && words.next().is_some_and(|word| word.ends_with(':'))
}

#[tokio::test]
async fn text_lines_stay_well_formed_with_any_input() {
    let mut shop = Shop::start().await;
    shop.restart_with(&[("RUST_LOG", DEBUG_LEVELS)]).await;
    send_personal_data(&shop).await;
    send_hostile_requests(&shop).await;
    publish_hostile_events(&shop).await;
    cause_internal_error(&shop).await;
    for service in shop.services() {
        assert_harmless(service);
        for line in service.log().lines() {
            assert!(is_complete_line(line), "{line:?}");
        }
    }
    let log = shop.command.log();
    assert!(log.contains(" access: request method=POST route=/api/users status=201"), "{log}");
    shop.stop().await;
}

#[tokio::test]
async fn json_lines_are_flat_objects_with_request_and_trace_ids() {
    let mut shop = Shop::start().await;
    shop.restart_with(&[("LOG_FORMAT", "json"), ("RUST_LOG", DEBUG_LEVELS)]).await;
    send_personal_data(&shop).await;
    send_hostile_requests(&shop).await;
    publish_hostile_events(&shop).await;
    let failed = cause_internal_error(&shop).await;
    let mut lines = Vec::new();
    for service in shop.services() {
        assert_harmless(service);
        for line in service.log().lines() {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line:?}"));
            for field in ["timestamp", "level", "target", "message"] {
                assert!(line[field].is_string(), "{line}");
            }
            let is_flat = |value: &Value| !value.is_object() && !value.is_array();
            assert!(line.as_object().unwrap().values().all(is_flat), "{line}");
            lines.push(line);
        }
    }
    // The error and its request have the trace id that the client gets.
    let trace = failed.headers["traceparent"].to_str().unwrap();
    let of_trace: Vec<&Value> = lines
        .iter()
        .filter(|line| line["trace_id"].as_str().is_some_and(|id| trace.contains(id)))
        .collect();
    let request = of_trace.iter().find(|line| line["target"] == "access").unwrap();
    assert_eq!((&request["level"], &request["method"]), (&"INFO".into(), &"POST".into()));
    assert_eq!((&request["route"], &request["status"]), (&"/api/users".into(), &500.into()));
    assert_eq!(request["request_id"], "failed-1");
    assert!(request["duration_ms"].is_number());
    assert!(of_trace.iter().any(|line| line["level"] == "ERROR"), "{of_trace:?}");
    // A batch has a trace id, too.
    let is_batch = |line: &&Value| line["message"] == "applied a batch";
    let batch = lines.iter().filter(is_batch).find(|line| line["topic"] == "user-events").unwrap();
    assert!(batch["messages"].is_u64() && batch["duration_ms"].is_number(), "{batch}");
    assert!(lines.iter().any(|line| line["dead_letter"].is_i64()), "no dead letter is logged");
    shop.stop().await;
}

#[tokio::test]
async fn successful_requests_are_not_logged_by_default() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 10).await;
    shop.place_order(1, product, 1).await;
    shop.order(1, product, 100).await.assert_status(400);
    cause_internal_error(&shop).await;
    let log = shop.command.log();
    assert_eq!(log.matches(" access: ").count(), 1, "{log}");
    shop.stop().await;
}
