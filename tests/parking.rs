//! Events that cannot be applied are parked, and what is behind them flows on.

use crate::harness::{Shop, eventually};
use lapin::BasicProperties;

#[tokio::test]
async fn strangers_events_are_applied_or_parked_and_ours_flow_on() {
    let shop = Shop::start().await;
    let id = "0190a000-0000-7000-8000-00000000002a";
    let good = format!(
        r#"{{"eventId":"{id}","eventType":"OrderCreated","version":1,"aggregateVersion":1,
            "timestamp":"2026-01-01T10:30:00Z","orderId":900,"customerId":9,"status":"CREATED",
            "items":[{{"productId":77,"productName":"Mate","category":"Mate","quantity":2,
            "price":1.25}}],"total":2.5}}"#
    );
    let bodies = [
        b"not json".to_vec(),
        vec![0xff, 0x00, 0xfe],
        br#"{"eventType":"OrderCreated"}"#.to_vec(),
        good.replace("2.5}", "2.6}").replace("002a", "002b").into_bytes(),
        good.replace("2026-", "2226-").replace("002a", "002c").into_bytes(),
        good.replace("OrderCreated", "OrderEaten").replace("002a", "002d").into_bytes(),
        good.replace("\"Mate\"", "\"Ma\\u0000te\"").replace("002a", "002e").into_bytes(),
        // Before the first day that PostgreSQL knows: only the database refuses it.
        good.replace("2026-", "-9999-").replace("002a", "002f").into_bytes(),
        // A leap second and the hour after it, in one batch.
        good.replace("10:30:00", "09:59:60")
            .replace("002a", "003a")
            .replace("900", "902")
            .into_bytes(),
        good.clone().into_bytes(),
        b"not json".to_vec(),
        good.clone().into_bytes(),
    ];
    shop.broker.publish("order-events", &bodies, BasicProperties::default()).await;
    // Without an event id in the body, the message's stands in.
    let nameless = good.replacen(&format!(r#""eventId":"{id}","#), "", 1).replace("900", "901");
    let named = BasicProperties::default().with_message_id("my-message-1".into());
    let twice = [nameless.clone().into_bytes(), nameless.into_bytes()];
    shop.broker.publish("order-events", &twice, named).await;

    let product = shop.product("Tea", "5", 10).await;
    assert_eq!(shop.order(1, product, 1).await.status, 201);
    shop.caught_up().await;
    eventually(async || {
        let sales = shop.get("/api/analytics/products/77/sales").await;
        let both = sales.body["orderCount"] == 3 && sales.body["totalRevenue"] == 7.5;
        if both { Ok(()) } else { Err(sales.text) }
    })
    .await;
    let parked = "SELECT count(*) FROM dead_letters";
    assert_eq!(shop.databases.query_read(parked).await, 8);
    let reasons: Vec<String> = sqlx::query_scalar("SELECT reason FROM dead_letters")
        .fetch_all(&shop.databases.read)
        .await
        .unwrap();
    assert!(reasons.iter().all(|reason| !reason.is_empty()), "{reasons:?}");
    let stranger = shop.get("/api/orders/900").await;
    assert_eq!(stranger.body["items"][0]["productName"], "Mate", "{}", stranger.text);
    shop.stop().await;
}
