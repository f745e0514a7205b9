//! Where the memory of processed events has a limit, what is older than that is parked
//! when it comes again, and nothing is ever applied twice by mistake.

use crate::harness::{Shop, eventually, program};
use lapin::BasicProperties;
use std::process::Command;

/// A stranger's order of some years ago.
fn old_order(number: i64) -> Vec<u8> {
    format!(
        r#"{{"eventId":"0190a000-0000-7000-8000-{number:012}","eventType":"OrderCreated",
            "timestamp":"2025-01-01T10:30:00Z","orderId":{number},"customerId":9,
            "status":"CREATED","items":[{{"productId":77,"productName":"Mate",
            "category":"Mate","quantity":2,"price":1.25}}],"total":2.5}}"#
    )
    .into_bytes()
}

async fn publish(shop: &Shop, numbers: &[i64]) {
    let bodies: Vec<Vec<u8>> = numbers.iter().map(|number| old_order(*number)).collect();
    shop.broker.publish("order-events", &bodies, BasicProperties::default()).await;
}

/// Waits until a number of the read database is that.
async fn becomes(shop: &Shop, sql: &'static str, expected: i64) {
    eventually(async || {
        let number = shop.databases.query_read(sql).await;
        if number == expected { Ok(()) } else { Err((sql, number)) }
    })
    .await;
}

#[tokio::test]
async fn what_is_forgotten_is_never_applied_twice() {
    let mut shop = Shop::start().await;
    let orders = "SELECT coalesce(sum(order_count), 0)::bigint FROM customer_ltv_view";
    let remembered = "SELECT count(*) FROM processed_events";
    let letters = "SELECT count(*) FROM dead_letters
                   WHERE reason LIKE 'older than dedupe memory%'";
    publish(&shop, &[1, 2]).await;
    becomes(&shop, orders, 2).await;
    shop.caught_up().await;
    sqlx::query("UPDATE processed_events SET processed_at = now() - interval '3 hours'")
        .execute(&shop.databases.read)
        .await
        .unwrap();
    shop.consumer.restart_with("DEDUPE_MEMORY_HOURS", "1");
    becomes(&shop, remembered, 0).await;

    // Two that were applied, and one that never came.
    publish(&shop, &[1, 2, 3]).await;
    becomes(&shop, letters, 3).await;
    // What is new goes on.
    let product = shop.product("Tea", "5", 10).await;
    assert_eq!(shop.order(1, product, 1).await.status, 201);
    becomes(&shop, orders, 3).await;

    let url = format!("http://{}", shop.consumer.address("operations").await);
    let third: i64 = sqlx::query_scalar("SELECT max(id) FROM dead_letters")
        .fetch_one(&shop.databases.read)
        .await
        .unwrap();
    let admin = |line: &str| {
        let output = Command::new(program("admin"))
            .arg("dead-letters")
            .args(line.split(' '))
            .args(["--url", &url])
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, refused) = admin(&format!("redrive {third}"));
    assert!(code == Some(1) && refused.contains("redrive it anyway"), "{refused}");
    becomes(&shop, orders, 3).await;
    let (code, applied) = admin(&format!("redrive {third} --anyway"));
    assert!(code == Some(0) && applied.contains("applied"), "{applied}");
    becomes(&shop, orders, 4).await;
    assert_eq!(admin("discard --all").0, Some(0));
    // Once applied it is remembered, however old it is.
    publish(&shop, &[3, 3]).await;
    publish(&shop, &[4]).await;
    becomes(&shop, letters, 1).await;
    becomes(&shop, orders, 4).await;
    shop.stop().await;
}
