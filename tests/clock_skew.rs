//! A service whose clock is wrong by minutes reports it and loses nothing.

use crate::harness::database::DEAD_LETTERS;
use crate::harness::{Service, Shop, assert_views_agree, eventually};
use chrono::{SecondsFormat, Utc};

/// Waits until a healthy service reports this clock skew.
async fn wait_for_skew(service: &Service, detail: &str, seconds: f64) {
    let health = service
        .wait_for_health(|health| {
            let clock = &health.body["clock"];
            let is_reported = clock["detail"].as_str().is_some_and(|text| text.contains(detail));
            clock["status"] == "down" && is_reported
        })
        .await;
    assert_eq!((health.status, &health.body["status"]), (200, &"ok".into()), "{}", health.text);
    let skew = service.metrics().await.value("shop_clock_skew_seconds", &["of=own"]);
    assert!((skew - seconds).abs() < 5.0, "{skew}");
}

#[tokio::test]
async fn wrong_clocks_are_reported_and_lose_no_event() {
    let mut shop = Shop::start().await;
    assert_eq!(shop.query.health().await.body["clock"]["status"], "up");
    shop.command.restart_with_clock("+10m");
    shop.consumer.restart_with_clock("-10m");
    shop.healthy().await;
    let product = shop.product("Tea", "5", 10).await;
    shop.place_order(1, product, 2).await;
    // This includes that the lag is zero.
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    wait_for_skew(&shop.command, "clock is 600 s ahead of the database's", 600.0).await;
    wait_for_skew(&shop.consumer, "clock is 600 s behind the database's", -600.0).await;

    // An external event with the current time is accepted, although it is in the future by
    // the consumer's clock.
    let time = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
    let body = format!(
        r#"{{"eventId":"now","eventType":"OrderCreated","timestamp":"{time}","orderId":900,
            "customerId":9,"items":[{{"productId":{product},"quantity":1,"price":5}}]}}"#
    );
    shop.broker.publish("order-events", &[body.into_bytes()]).await;
    shop.wait_until_found("/api/orders/900").await;
    assert_eq!(shop.databases.query_read(DEAD_LETTERS).await, 0);
    // The consumer measures the clock of the write database, which is right.
    eventually(async || {
        let metrics = shop.consumer.metrics().await;
        let skew = metrics.value("shop_clock_skew_seconds", &["of=write_database"]);
        if skew.abs() < 5.0 { Ok(()) } else { Err(skew) }
    })
    .await;
    shop.stop().await;
}
