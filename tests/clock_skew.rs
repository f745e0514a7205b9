//! Clocks that are wrong by minutes are reported, and nothing is lost.

use crate::harness::{Service, Shop, assert_views_agree, eventually};
use chrono::{SecondsFormat, Utc};
use lapin::BasicProperties;

/// Waits until a service reports that its clock is wrong by so many seconds; it stays
/// healthy.
async fn tells(service: &Service, detail: &str, seconds: f64) {
    eventually(async || {
        let health = service.health().await;
        let told = &health.body["clock"];
        let is_told = told["detail"].as_str().is_some_and(|text| text.contains(detail));
        if told["status"] == "down" && is_told { Ok(()) } else { Err(health.text) }
    })
    .await;
    let health = service.health().await;
    assert_eq!((health.status, &health.body["status"]), (200, &"ok".into()), "{}", health.text);
    let skew = service.metrics().await.value("shop_clock_skew_seconds", &["of=own"]);
    assert!((skew - seconds).abs() < 5.0, "{skew}");
}

#[tokio::test]
async fn wrong_clocks_are_told_and_lose_nothing() {
    let mut shop = Shop::start().await;
    assert_eq!(shop.query.health().await.body["clock"]["status"], "up");
    shop.command.restart_with_clock("+10m");
    shop.consumer.restart_with_clock("-10m");
    shop.command.healthy().await;
    shop.consumer.healthy().await;
    let product = shop.product("Tea", "5", 10).await;
    assert_eq!(shop.order(1, product, 2).await.status, 201);
    // Caught up means that the lag is 0.
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    tells(&shop.command, "clock is 600 s ahead of the database's", 600.0).await;
    tells(&shop.consumer, "clock is 600 s behind the database's", -600.0).await;

    // An external event with the current time is not in the future, although it is by the
    // consumer's clock.
    let time = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
    let body = format!(
        r#"{{"eventId":"now","eventType":"OrderCreated","timestamp":"{time}","orderId":900,
            "customerId":9,"items":[{{"productId":{product},"quantity":1,"price":5}}]}}"#
    );
    shop.broker.publish("order-events", &[body.into_bytes()], BasicProperties::default()).await;
    shop.wait_until_found("/api/orders/900").await;
    assert_eq!(shop.databases.query_read("SELECT count(*) FROM dead_letters").await, 0);
    // The write database's clock is right, as soon as that is known.
    eventually(async || {
        let metrics = shop.consumer.metrics().await;
        let skew = metrics.value("shop_clock_skew_seconds", &["of=write_database"]);
        if skew.abs() < 5.0 { Ok(()) } else { Err(skew) }
    })
    .await;
    shop.stop().await;
}
