//! Dead letters: each tells an operator what to do, what is behind it flows on, and
//! once redriven it is applied exactly once.

use crate::harness::{Response, Shop, assert_views_agree, client, eventually, program};
use lapin::BasicProperties;
use reqwest::Method;
use serde_json::Value;
use std::process::Command;

const ORDER: &str = r#"{"eventId":"0190a000-0000-7000-8000-00000000002a",
    "eventType":"OrderCreated","version":1,"aggregateVersion":1,
    "timestamp":"2026-01-01T10:30:00Z","orderId":900,"customerId":9,"status":"CREATED",
    "items":[{"productId":77,"productName":"Mate","category":"Mate","quantity":2,
    "price":1.25}],"total":2.5}"#;

/// A stranger's order, with something else in it.
fn order(from: &str, to: &str) -> Vec<u8> {
    assert!(ORDER.contains(from));
    ORDER.replace(from, to).into_bytes()
}

/// A request to the consumer service's operations port.
async fn admin(shop: &Shop, method: Method, path: &str) -> Response {
    let address = shop.consumer.address("operations").await;
    let url = format!("http://{address}/admin/dead-letters{path}");
    Response::to(client().request(method, url)).await.unwrap()
}

async fn letters(shop: &Shop, count: usize) -> Vec<Value> {
    eventually(async || {
        let list = admin(shop, Method::GET, "?limit=500").await;
        let letters = list.body.as_array().cloned().unwrap_or_default();
        if letters.len() == count { Ok(letters) } else { Err(list.text) }
    })
    .await
}

#[tokio::test]
async fn every_kind_of_bad_event_is_parked_with_advice_and_the_rest_flows_on() {
    let shop = Shop::start().await;
    let padding = format!("\"padding\":\"{}\",\"orderId\":900", "x".repeat(5_000_000));
    let id = |last: &str| ("00000000002a", format!("0000000000{last}"));
    let change = |from: &str, to: &str, last: &str| {
        let (old, new) = id(last);
        String::from_utf8(order(from, to)).unwrap().replace(old, &new).into_bytes()
    };
    let cases = [
        (b"not json".to_vec(), "not JSON", "send it again"),
        (change("\"OrderCreated\"", "\"OrderEaten\"", "b1"), "unknown event type", "deploy"),
        (change("\"version\":1", "\"version\":9", "b2"), "unknown version 9", "deploy"),
        (
            change("\"quantity\":2", "\"quantity\":\"2\"", "b3"),
            "items[0].quantity: must be a whole",
            "send it again",
        ),
        (
            change("\"quantity\":2", "\"quantity\":-2", "b4"),
            "items[0].quantity: must be",
            "send it again",
        ),
        (change("2026-01", "2226-01", "b5"), "5 minutes ahead", "clock"),
        (change("\"orderId\":900", &padding, "b6"), "bytes are more than", "send it again"),
        (br#"{"eventType":"OrderCreated"}"#.to_vec(), "eventId: is required", "send it again"),
    ];
    let bodies: Vec<Vec<u8>> = cases.iter().map(|(body, _, _)| body.clone()).collect();
    shop.broker.publish("order-events", &bodies, BasicProperties::default()).await;
    let product = shop.product("Tea", "5", 10).await;
    assert_eq!(shop.order(1, product, 1).await.status, 201);
    shop.caught_up().await;

    let letters = letters(&shop, cases.len()).await;
    for (letter, (body, what, advice)) in letters.iter().zip(&cases) {
        let reason = letter["reason"].as_str().unwrap();
        assert!(reason.contains(what) && reason.contains(advice), "{reason}");
        assert_eq!(letter["bytes"], body.len());
        assert_eq!(letter["ours"], false);
    }
    let show = admin(&shop, Method::GET, &format!("/{}", letters[0]["id"])).await;
    assert_eq!(show.body["body"], "not json");
    let none = admin(&shop, Method::GET, "/999").await;
    assert_eq!((none.status, none.error()), (404, "Dead letter not found"));
    eventually(async || {
        let count = shop.consumer.metrics().await.value("shop_dead_letters", &[]);
        if count == 8.0 { Ok(()) } else { Err(count) }
    })
    .await;
    shop.stop().await;
}

#[tokio::test]
async fn a_letter_that_is_redriven_after_a_fix_is_applied_exactly_once() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 10).await;
    shop.caught_up().await;
    // A rule of the database that the events break, until an operator drops it.
    let fence = "ALTER TABLE orders_read ADD CONSTRAINT fence CHECK (customer_id <> 13)";
    sqlx::query(fence).execute(&shop.databases.read).await.unwrap();
    assert_eq!(shop.order(13, product, 2).await.status, 201);
    assert_eq!(shop.order(14, product, 1).await.status, 201);
    let parked = letters(&shop, 1).await;
    let (id, reason) = (&parked[0]["id"], parked[0]["reason"].as_str().unwrap());
    assert!(reason.contains("fence") && reason.contains("redrive"), "{reason}");
    assert_eq!(parked[0]["ours"], true);
    // It was counted, and what is behind it is there.
    eventually(async || {
        let status = shop.get("/sync-status").await;
        if status.body["lagSeconds"] == 0 { Ok(()) } else { Err(status.text) }
    })
    .await;
    // The views still lack it.
    let status = shop.get("/sync-status").await;
    assert_eq!(
        (&status.body["isCaughtUp"], &status.body["deadLetters"]),
        (&false.into(), &1.into())
    );
    // The count of committed events may be from before it: up to a second old.
    eventually(async || {
        let orders = shop.get("/api/orders?customerId=14").await;
        if orders.body[0]["total"] == 5 { Ok(()) } else { Err(orders.text) }
    })
    .await;

    let path = format!("/{id}/redrive");
    let refused = admin(&shop, Method::POST, &path).await;
    assert_eq!((refused.status, refused.error()), (409, "Not applicable"));
    sqlx::query("ALTER TABLE orders_read DROP CONSTRAINT fence")
        .execute(&shop.databases.read)
        .await
        .unwrap();
    let tries = futures::future::join_all((0..5).map(|_| admin(&shop, Method::POST, &path))).await;
    let applied = tries.iter().filter(|response| response.body["outcome"] == "applied").count();
    assert_eq!(applied, 1, "{tries:?}");
    shop.caught_up().await;
    let status = shop.get("/sync-status").await;
    assert_eq!(
        (&status.body["isCaughtUp"], &status.body["deadLetters"]),
        (&true.into(), &0.into())
    );
    assert_eq!(shop.databases.query_read("SELECT count(*) FROM dead_letters").await, 0);
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn operators_work_through_letters_by_the_command_line() {
    let shop = Shop::start().await;
    let bodies = [b"one".to_vec(), b"two".to_vec(), order("OrderCreated", "Order\\u001b[2JEaten")];
    shop.broker.publish("order-events", &bodies, BasicProperties::default()).await;
    letters(&shop, 3).await;
    let url = format!("http://{}", shop.consumer.address("operations").await);
    let run = |line: &str| {
        let output = Command::new(program("admin"))
            .arg("dead-letters")
            .args(line.split(' '))
            .args(["--url", &url])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, list, _) = run("list");
    assert_eq!(code, Some(0));
    assert_eq!(list.matches("not JSON").count(), 2, "{list}");
    // What a stranger wrote does not reach the terminal.
    assert!(list.contains("Eaten") && !list.contains('\u{1b}'), "{list}");
    assert!(run("show 1").1.contains("\"body\": \"one\""));
    let (code, redriven, complaint) = run("redrive --all");
    assert_eq!(code, Some(1), "{redriven}");
    assert_eq!(redriven.matches("Not applicable: ").count(), 3, "{redriven}");
    assert!(complaint.contains("3 of 3 dead letters were not changed"), "{complaint}");
    assert_eq!(run("discard 1 2").0, Some(0));
    let (code, _, complaint) = run("show 1");
    assert!(code == Some(1) && complaint.contains("There is no dead letter 1"), "{complaint}");
    assert_eq!(run("discard --all").0, Some(0));
    assert_eq!(run("list").1, "no dead letters\n");
    shop.stop().await;
}
