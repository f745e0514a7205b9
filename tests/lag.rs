//! The lag is above zero while a committed event is missing in the views, and returns to
//! zero without new traffic.

use crate::harness::{Response, Shop, assert_views_agree, eventually, execute};
use chrono::{DateTime, Utc};
use futures::future::join_all;
use shared_events::Topic;
use std::collections::BTreeSet;
use uuid::Uuid;

async fn status(shop: &Shop) -> Response {
    shop.get("/sync-status").await
}

async fn lag(shop: &Shop) -> i64 {
    status(shop).await.integer("lagMilliseconds")
}

/// Waits until there is lag and until it has grown by half a second.
async fn wait_for_growth(shop: &Shop) {
    let above = async |bound| {
        eventually(async || {
            let now = lag(shop).await;
            if now > bound { Ok(now) } else { Err(now) }
        })
        .await
    };
    let first = above(0).await;
    above(first + 500).await;
    assert_eq!(status(shop).await.body["isCaughtUp"], false);
}

/// Waits until there is no lag.
async fn wait_for_zero(shop: &Shop) {
    shop.caught_up().await;
    let status = status(shop).await;
    assert_eq!((status.integer("lagSeconds"), status.integer("pendingEvents")), (0, 0));
}

/// The time of the newest watermark of each topic, whichever is oldest; the epoch if a topic
/// has none.
async fn newest_watermark(shop: &Shop) -> DateTime<Utc> {
    let newest = "SELECT coalesce(min(taken_at) FILTER (WHERE topics = $1), 'epoch'::timestamptz)
                  FROM (SELECT max(taken_at) AS taken_at, count(*) OVER () AS topics
                        FROM watermarks
                        GROUP BY topic) AS newest";
    let topics = Topic::ALL.len() as i64;
    sqlx::query_scalar(newest).bind(topics).fetch_one(&shop.databases.read).await.unwrap()
}

#[tokio::test]
async fn an_idle_shop_has_no_lag() {
    let shop = Shop::start().await;
    let before = status(&shop).await;
    assert_eq!(before.body["lastProcessedEventTimestamp"], serde_json::Value::Null);
    shop.product("Tea", "5", 10).await;
    wait_for_zero(&shop).await;
    assert!(status(&shop).await.body["lastProcessedTimestamp"].as_str().unwrap().ends_with('Z'));
    // It stays zero between watermarks.
    for _ in 0..4 {
        let seen = newest_watermark(&shop).await;
        eventually(async || {
            assert_eq!(lag(&shop).await, 0);
            let now = newest_watermark(&shop).await;
            if now > seen { Ok(()) } else { Err(now) }
        })
        .await;
    }
    shop.stop().await;
}

/// Events that were committed so long ago that watermarks count them.
async fn counted_events(shop: &Shop) -> BTreeSet<Uuid> {
    let old = "SELECT id FROM outbox WHERE created_at < now() - interval '3 seconds'";
    sqlx::query_scalar(old).fetch_all(&shop.databases.write).await.unwrap().into_iter().collect()
}

#[tokio::test]
async fn zero_lag_is_reported_under_load_only_if_no_event_is_missing() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 1_000_000).await;
    let orders = join_all((1..=4).map(async |customer| {
        for _ in 0..400 {
            shop.place_order(customer, product, 1).await;
        }
    }));
    // The consumer stalls twice, so that there is lag.
    let stalls = async {
        for _ in 0..2 {
            shop.consumer.signal("STOP");
            eventually(async || {
                let now = lag(&shop).await;
                if now > 0 { Ok(()) } else { Err(now) }
            })
            .await;
            shop.consumer.signal("CONT");
            wait_for_zero(&shop).await;
        }
    };
    let watching = async {
        loop {
            let old = counted_events(&shop).await;
            if status(&shop).await.body["isCaughtUp"] == true {
                let seen: Vec<Uuid> = sqlx::query_scalar("SELECT event_id FROM processed_events")
                    .fetch_all(&shop.databases.read)
                    .await
                    .unwrap();
                let seen: BTreeSet<Uuid> = seen.into_iter().collect();
                assert!(old.is_subset(&seen), "zero lag was reported while events were missing");
            }
        }
    };
    tokio::select! {
        _ = async { tokio::join!(orders, stalls) } => {}
        _ = watching => {}
    }
    wait_for_zero(&shop).await;
    shop.stop().await;
}

#[tokio::test]
async fn lag_grows_while_the_consumer_is_down_and_then_returns_to_zero() {
    let mut shop = Shop::start().await;
    wait_for_zero(&shop).await;
    shop.consumer.kill();
    let product = shop.product("Tea", "5", 10).await;
    wait_for_growth(&shop).await;
    shop.consumer.restart();
    wait_for_zero(&shop).await;
    shop.get(&format!("/api/products/{product}")).await.assert_status(200);
    shop.stop().await;
}

#[tokio::test]
async fn lag_grows_while_the_publisher_is_down() {
    let mut shop = Shop::start().await;
    wait_for_zero(&shop).await;
    shop.command.kill();
    wait_for_growth(&shop).await;
    shop.command.restart();
    shop.command.healthy().await;
    wait_for_zero(&shop).await;
    shop.stop().await;
}

#[tokio::test]
async fn lag_grows_while_the_broker_is_unreachable() {
    let (shop, links) = Shop::start_with_links().await;
    wait_for_zero(&shop).await;
    links.command_broker.cut().await;
    links.consumer_broker.cut().await;
    shop.product("Tea", "5", 10).await;
    wait_for_growth(&shop).await;
    // The number of missing events is unknown then.
    shop.get_until("/sync-status", |status| status.body["pendingEvents"].is_null()).await;
    links.open().await;
    wait_for_zero(&shop).await;
    shop.stop().await;
}

/// Waits for new watermarks of all topics.
async fn wait_for_watermarks(shop: &Shop) {
    let now = Utc::now();
    eventually(async || {
        let newest = newest_watermark(shop).await;
        if newest > now { Ok(()) } else { Err(newest) }
    })
    .await;
}

#[tokio::test]
async fn events_published_again_by_hand_are_counted_once() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 100).await;
    for customer in 1..=5 {
        shop.place_order(customer, product, 1).await;
    }
    shop.caught_up().await;
    for by_hand in [
        "UPDATE outbox SET published_at = NULL
         WHERE id = (SELECT id FROM outbox WHERE topic = 'order-events' ORDER BY id LIMIT 1)",
        "UPDATE outbox SET published_at = NULL
         WHERE id IN (SELECT id FROM outbox WHERE topic = 'order-events' ORDER BY id LIMIT 3)",
        "UPDATE outbox SET published_at = NULL WHERE topic = 'order-events'",
        "UPDATE outbox SET published_at = NULL",
    ] {
        for _ in 0..2 {
            execute(&shop.databases.write, by_hand).await;
            shop.caught_up().await;
            wait_for_watermarks(&shop).await;
            wait_for_zero(&shop).await;
            assert_eq!(status(&shop).await.body["eventsApplied"], 6, "{by_hand}");
        }
    }
    let counted = "SELECT sum(published)::bigint FROM outbox_progress";
    assert_eq!(shop.databases.query_write(counted).await, 6);
    assert_eq!(shop.databases.query_read("SELECT sum(seen)::bigint FROM topic_progress").await, 6);
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn lag_returns_to_zero_after_tables_were_truncated() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 100).await;
    shop.caught_up().await;
    for (write, read) in [
        ("TRUNCATE outbox", "TRUNCATE sync_status"),
        ("TRUNCATE outbox", "TRUNCATE processed_events, sync_status, watermarks"),
        ("TRUNCATE outbox, outbox_progress", "TRUNCATE sync_status, topic_progress, watermarks"),
        ("TRUNCATE outbox, outbox_progress", "TRUNCATE sync_status"),
    ] {
        execute(&shop.databases.write, write).await;
        execute(&shop.databases.read, read).await;
        assert_eq!(status(&shop).await.status, 200, "{read}");
        wait_for_watermarks(&shop).await;
        wait_for_zero(&shop).await;
        let ordered = shop.order(1, product, 1).await;
        let event = ordered.event_id();
        let shown = shop.get(&format!("/api/orders?after={event}&wait=10000&strict=true")).await;
        assert_eq!(shown.status, 200, "{write}, {read}");
        wait_for_watermarks(&shop).await;
        wait_for_zero(&shop).await;
    }
    shop.stop().await;
}

#[tokio::test]
async fn lag_after_a_restart_continues_from_the_stored_watermarks() {
    let mut shop = Shop::start().await;
    wait_for_zero(&shop).await;
    let before = newest_watermark(&shop).await;
    shop.consumer.kill();
    shop.product("Tea", "5", 10).await;
    shop.command.kill();
    shop.query.kill();
    // Only the query service runs. It measures from the newest watermark.
    shop.query.restart();
    shop.query.healthy().await;
    wait_for_growth(&shop).await;
    let lag = chrono::TimeDelta::milliseconds(lag(&shop).await);
    assert!(lag <= Utc::now() - before + chrono::TimeDelta::seconds(1), "{lag}");
    shop.command.restart();
    shop.consumer.restart();
    shop.command.healthy().await;
    wait_for_zero(&shop).await;
    shop.stop().await;
}
