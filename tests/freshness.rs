//! Lag is above zero while anything committed is unseen, and returns to zero
//! without new traffic.

use crate::harness::{Shop, eventually};

#[tokio::test]
async fn lag_grows_while_the_consumer_is_away_and_vanishes_without_traffic() {
    let mut shop = Shop::open().await;
    let before = shop.get("/api/analytics/sync-status").await;
    assert_eq!(before.body["lastProcessedEventTimestamp"], serde_json::Value::Null);
    eventually(async || {
        let status = shop.get("/sync-status").await;
        let at_rest = status.body["lagSeconds"] == 0 && status.body["isCaughtUp"] == true;
        if at_rest { Ok(()) } else { Err(status.text) }
    })
    .await;

    shop.consumer.kill();
    let product = shop.product("Tea", "5", 10).await;
    let lag = async || shop.get("/sync-status").await.integer("lagMilliseconds");
    let first = eventually(async || Ok::<_, i64>(lag().await).and_then(positive)).await;
    eventually(async || {
        let now = lag().await;
        if now > first { Ok(()) } else { Err(now) }
    })
    .await;
    assert_eq!(shop.get("/sync-status").await.body["isCaughtUp"], false);

    shop.consumer.restart();
    shop.caught_up().await;
    let status = shop.get("/sync-status").await;
    assert_eq!(status.body["pendingEvents"], 0);
    assert!(status.body["lastProcessedTimestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(shop.get(&format!("/api/products/{product}")).await.status, 200);
    shop.close().await;
}

fn positive(lag: i64) -> Result<i64, i64> {
    if lag > 0 { Ok(lag) } else { Err(lag) }
}

#[tokio::test]
async fn a_silent_publisher_shows_as_lag() {
    let mut shop = Shop::open().await;
    shop.caught_up().await;
    shop.command.kill();
    eventually(async || positive(shop.get("/sync-status").await.integer("lagMilliseconds"))).await;
    shop.command.restart();
    shop.command.healthy().await;
    shop.caught_up().await;
    shop.close().await;
}
