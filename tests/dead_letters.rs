//! An event that cannot be applied becomes a dead letter with advice for the operator, the
//! events behind it are applied, and a redriven dead letter is applied exactly once.

use crate::harness::database::DEAD_LETTERS;
use crate::harness::{
    Response, Shop, assert_views_agree, client, eventually, execute, external_order,
};
use lapin::BasicProperties;
use reqwest::Method;
use serde_json::Value;

/// A request for dead letters to the operations port of the consumer service.
async fn request(shop: &Shop, method: Method, path: &str) -> Response {
    let url = shop.consumer.url("operations", &format!("/admin/dead-letters{path}")).await;
    Response::to(client().request(method, url)).await.unwrap()
}

/// All dead letters, as soon as there are this many.
async fn wait_for_letters(shop: &Shop, count: usize) -> Vec<Value> {
    eventually(async || {
        let list = request(shop, Method::GET, "?limit=500").await;
        let letters = list.body.as_array().cloned().unwrap_or_default();
        if letters.len() == count { Ok(letters) } else { Err(list.text) }
    })
    .await
}

/// Waits for the completeness that the query service reports.
async fn wait_for_status(shop: &Shop, is_caught_up: bool, dead_letters: i64) {
    shop.get_until("/sync-status", |status| {
        status.body["lagSeconds"] == 0
            && status.body["isCaughtUp"] == is_caught_up
            && status.body["deadLetters"] == dead_letters
    })
    .await;
}

#[tokio::test]
async fn every_kind_of_invalid_event_becomes_a_dead_letter_with_advice() {
    let shop = Shop::start().await;
    let padding = format!("\"padding\":\"{}\",\"orderId\":9", "x".repeat(5_000_000));
    // An order with another event id and an invalid part.
    let invalid = |number: usize, from: &str, to: &str| {
        let order = external_order(900 + number);
        assert!(order.contains(from));
        order.replace(from, to).into_bytes()
    };
    let cases = [
        (b"not json".to_vec(), "not JSON", "send it again"),
        (invalid(1, "\"OrderCreated\"", "\"OrderEaten\""), "unknown event type", "deploy"),
        (invalid(2, "\"version\":1", "\"version\":9"), "unknown version 9", "deploy"),
        (
            invalid(3, "\"quantity\":2", "\"quantity\":\"2\""),
            "items[0].quantity: must be a whole",
            "send it again",
        ),
        (
            invalid(4, "\"quantity\":2", "\"quantity\":-2"),
            "items[0].quantity: must be",
            "send it again",
        ),
        (invalid(5, "2026-01", "2226-01"), "5 minutes ahead", "clock"),
        (invalid(6, "\"orderId\":9", &padding), "bytes exceed the limit", "send it again"),
        (br#"{"eventType":"OrderCreated"}"#.to_vec(), "eventId: is required", "send it again"),
    ];
    let bodies: Vec<Vec<u8>> = cases.iter().map(|(body, _, _)| body.clone()).collect();
    shop.broker.publish("order-events", &bodies).await;
    let product = shop.product("Tea", "5", 10).await;
    shop.place_order(1, product, 1).await;
    shop.caught_up().await;

    let letters = wait_for_letters(&shop, cases.len()).await;
    for (letter, (body, defect, advice)) in letters.iter().zip(&cases) {
        let reason = letter["reason"].as_str().unwrap();
        assert!(reason.contains(defect) && reason.contains(advice), "{reason}");
        assert_eq!(letter["bytes"], body.len());
        assert_eq!(letter["ours"], false);
    }
    let first = request(&shop, Method::GET, &format!("/{}", letters[0]["id"])).await;
    assert_eq!(first.body["body"], "not json");
    let missing = request(&shop, Method::GET, "/999").await;
    missing.assert_refused(404, "Dead letter not found");
    eventually(async || {
        let count = shop.consumer.metrics().await.value("shop_dead_letters", &[]);
        if count == 8.0 { Ok(()) } else { Err(count) }
    })
    .await;
    shop.stop().await;
}

#[tokio::test]
async fn valid_external_events_are_applied_between_invalid_ones() {
    let shop = Shop::start().await;
    let good = external_order(900);
    // The same event with another event id.
    let other = |number: usize, from: &str, to: &str| {
        let id = |order: usize| format!("0000{order:08}\"");
        good.replacen(&id(900), &id(number), 1).replace(from, to).into_bytes()
    };
    let bodies = [
        b"not json".to_vec(),
        vec![0xff, 0x00, 0xfe],
        br#"{"eventType":"OrderCreated"}"#.to_vec(),
        other(1, "2.5}", "2.6}"),
        other(2, "2026-", "2226-"),
        other(3, "OrderCreated", "OrderEaten"),
        other(4, "\"Mate\"", "\"Ma\\u0000te\""),
        // Before the first time of PostgreSQL: only the database refuses it.
        other(5, "2026-", "-9999-"),
        // A leap second and the hour after it, in one batch.
        external_order(902).replace("10:30:00", "09:59:60").into_bytes(),
        good.clone().into_bytes(),
        b"not json".to_vec(),
        good.clone().into_bytes(),
    ];
    shop.broker.publish("order-events", &bodies).await;
    // Without an event id in the body, the message id identifies the event.
    let without_id = good.replacen(r#""eventId":"0190a000-0000-7000-8000-000000000900","#, "", 1);
    let without_id = without_id.replace("900", "901").into_bytes();
    let properties = BasicProperties::default().with_message_id("my-message-1".into());
    let twice = [without_id.clone(), without_id];
    shop.broker.publish_with("order-events", &twice, properties).await;

    let product = shop.product("Tea", "5", 10).await;
    shop.place_order(1, product, 1).await;
    shop.caught_up().await;
    shop.get_until("/api/analytics/products/77/sales", |sales| {
        sales.body["orderCount"] == 3 && sales.body["totalRevenue"] == 7.5
    })
    .await;
    assert_eq!(shop.databases.query_read(DEAD_LETTERS).await, 8);
    let without_reason = "SELECT count(*) FROM dead_letters WHERE reason = ''";
    assert_eq!(shop.databases.query_read(without_reason).await, 0);
    let order = shop.get("/api/orders/900").await;
    assert_eq!(order.body["items"][0]["productName"], "Mate", "{}", order.text);
    shop.stop().await;
}

#[tokio::test]
async fn a_dead_letter_redriven_after_a_fix_is_applied_exactly_once() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 10).await;
    shop.caught_up().await;
    // The event of customer 13 violates a constraint until an operator drops it.
    let constraint = "ALTER TABLE orders_read ADD CONSTRAINT fence CHECK (customer_id <> 13)";
    execute(&shop.databases.read, constraint).await;
    shop.place_order(13, product, 2).await;
    shop.place_order(14, product, 1).await;
    let letters = wait_for_letters(&shop, 1).await;
    let (id, reason) = (&letters[0]["id"], letters[0]["reason"].as_str().unwrap());
    assert!(reason.contains("fence") && reason.contains("redrive"), "{reason}");
    assert_eq!(letters[0]["ours"], true);
    // The dead letter causes no lag, but the views are incomplete.
    wait_for_status(&shop, false, 1).await;
    // The next event is applied.
    shop.get_until("/api/orders?customerId=14", |orders| orders.body[0]["total"] == 5).await;

    let path = format!("/{id}/redrive");
    request(&shop, Method::POST, &path).await.assert_refused(409, "Not applicable");
    execute(&shop.databases.read, "ALTER TABLE orders_read DROP CONSTRAINT fence").await;
    let redrives = (0..5).map(|_| request(&shop, Method::POST, &path));
    let redrives = futures::future::join_all(redrives).await;
    let applied = redrives.iter().filter(|response| response.body["outcome"] == "applied").count();
    assert_eq!(applied, 1, "{redrives:?}");
    shop.caught_up().await;
    wait_for_status(&shop, true, 0).await;
    assert_eq!(shop.databases.query_read(DEAD_LETTERS).await, 0);
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn operators_process_dead_letters_on_the_command_line() {
    let shop = Shop::start().await;
    let escape = external_order(900).replace("OrderCreated", "Order\\u001b[2JEaten");
    let bodies = [b"one".to_vec(), b"two".to_vec(), escape.into_bytes()];
    shop.broker.publish("order-events", &bodies).await;
    wait_for_letters(&shop, 3).await;
    let run = async |command: &str| shop.consumer.admin(&format!("dead-letters {command}")).await;
    let list = run("list").await;
    assert_eq!(list.code, Some(0));
    assert_eq!(list.stdout.matches("not JSON").count(), 2, "{}", list.stdout);
    // Control characters of an event do not reach the terminal.
    assert!(list.stdout.contains("Eaten") && !list.stdout.contains('\u{1b}'), "{}", list.stdout);
    assert!(run("show 1").await.stdout.contains("\"body\": \"one\""));
    let redriven = run("redrive --all").await;
    assert_eq!(redriven.code, Some(1), "{redriven:?}");
    assert_eq!(redriven.stdout.matches("Not applicable: ").count(), 3, "{redriven:?}");
    assert!(redriven.stderr.contains("3 of 3 dead letters were not changed"), "{redriven:?}");
    assert_eq!(run("discard 1 2").await.code, Some(0));
    let shown = run("show 1").await;
    let is_missing = shown.stderr.contains("There is no dead letter 1");
    assert!(shown.code == Some(1) && is_missing, "{shown:?}");
    assert_eq!(run("discard --all").await.code, Some(0));
    assert_eq!(run("list").await.stdout, "no dead letters\n");
    shop.stop().await;
}
