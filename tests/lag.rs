//! Lag is above zero while anything committed is unseen, and returns to zero
//! without new traffic.

use crate::harness::{Links, Response, Servers, Shop, assert_views_agree, eventually};
use chrono::{DateTime, Utc};
use futures::future::join_all;
use std::collections::BTreeSet;
use uuid::Uuid;

async fn status(shop: &Shop) -> Response {
    shop.get("/sync-status").await
}

async fn lag(shop: &Shop) -> i64 {
    status(shop).await.integer("lagMilliseconds")
}

/// Waits until there is lag, and until it has grown.
async fn grows(shop: &Shop) {
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

/// Waits until there is none, though nothing happens any more.
async fn vanishes(shop: &Shop) {
    shop.caught_up().await;
    let status = status(shop).await;
    assert_eq!((status.integer("lagSeconds"), status.integer("pendingEvents")), (0, 0));
}

/// Of the topic that has been silent for longest.
async fn newest_watermark(shop: &Shop) -> DateTime<Utc> {
    let newest = "SELECT coalesce(min(taken_at) FILTER (WHERE topics = 3), 'epoch'::timestamptz)
                  FROM (SELECT max(taken_at) AS taken_at, count(*) OVER () AS topics
                        FROM watermarks
                        GROUP BY topic) AS newest";
    sqlx::query_scalar(newest).fetch_one(&shop.databases.read).await.unwrap()
}

#[tokio::test]
async fn an_idle_shop_has_none() {
    let shop = Shop::start().await;
    let before = status(&shop).await;
    assert_eq!(before.body["lastProcessedEventTimestamp"], serde_json::Value::Null);
    shop.product("Tea", "5", 10).await;
    vanishes(&shop).await;
    assert!(status(&shop).await.body["lastProcessedTimestamp"].as_str().unwrap().ends_with('Z'));
    // It does not creep up between one watermark and the next.
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

/// Events that were committed so long ago that watermarks tell of them.
async fn told_of(shop: &Shop) -> BTreeSet<Uuid> {
    let old = "SELECT id FROM outbox WHERE created_at < now() - interval '3 seconds'";
    sqlx::query_scalar(old).fetch_all(&shop.databases.write).await.unwrap().into_iter().collect()
}

#[tokio::test]
async fn under_load_none_is_only_told_when_there_is_none() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 1_000_000).await;
    let orders = join_all((1..=4).map(async |customer| {
        for _ in 0..400 {
            assert_eq!(shop.order(customer, product, 1).await.status, 201);
        }
    }));
    // The consumer stalls again and again, so that there is something to be told.
    let stalls = async {
        for _ in 0..2 {
            shop.consumer.signal("STOP");
            eventually(async || {
                let now = lag(&shop).await;
                if now > 0 { Ok(()) } else { Err(now) }
            })
            .await;
            shop.consumer.signal("CONT");
            vanishes(&shop).await;
        }
    };
    let watching = async {
        loop {
            let old = told_of(&shop).await;
            if status(&shop).await.body["isCaughtUp"] == true {
                let seen: Vec<Uuid> = sqlx::query_scalar("SELECT event_id FROM processed_events")
                    .fetch_all(&shop.databases.read)
                    .await
                    .unwrap();
                let seen: BTreeSet<Uuid> = seen.into_iter().collect();
                assert!(old.is_subset(&seen), "told of no lag, though events are missing");
            }
        }
    };
    tokio::select! {
        _ = async { tokio::join!(orders, stalls) } => {}
        _ = watching => {}
    }
    vanishes(&shop).await;
    shop.stop().await;
}

#[tokio::test]
async fn it_grows_while_the_consumer_is_away_and_vanishes_without_traffic() {
    let mut shop = Shop::start().await;
    vanishes(&shop).await;
    shop.consumer.kill();
    let product = shop.product("Tea", "5", 10).await;
    grows(&shop).await;
    shop.consumer.restart();
    vanishes(&shop).await;
    assert_eq!(shop.get(&format!("/api/products/{product}")).await.status, 200);
    shop.stop().await;
}

#[tokio::test]
async fn a_silent_publisher_shows_as_lag() {
    let mut shop = Shop::start().await;
    vanishes(&shop).await;
    shop.command.kill();
    grows(&shop).await;
    shop.command.restart();
    shop.command.healthy().await;
    vanishes(&shop).await;
    shop.stop().await;
}

#[tokio::test]
async fn a_broker_that_is_away_shows_as_lag() {
    let servers = Servers::of_environment();
    let links = Links::to(&servers);
    links.open().await;
    let shop = Shop::spawn(&servers, links.ports(), None).await;
    shop.command.healthy().await;
    shop.consumer.healthy().await;
    vanishes(&shop).await;
    links.command_broker.cut().await;
    links.consumer_broker.cut().await;
    shop.product("Tea", "5", 10).await;
    grows(&shop).await;
    // Their number is not known then.
    eventually(async || {
        let status = status(&shop).await;
        if status.body["pendingEvents"].is_null() { Ok(()) } else { Err(status.text) }
    })
    .await;
    links.open().await;
    vanishes(&shop).await;
    shop.stop().await;
}

/// Waits for watermarks of every topic that were taken later than now.
async fn later_watermarks(shop: &Shop) {
    let now = Utc::now();
    eventually(async || {
        let newest = newest_watermark(shop).await;
        if newest > now { Ok(()) } else { Err(newest) }
    })
    .await;
}

#[tokio::test]
async fn events_that_are_published_again_by_hand_are_counted_once() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 100).await;
    for customer in 1..=5 {
        assert_eq!(shop.order(customer, product, 1).await.status, 201);
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
            sqlx::query(by_hand).execute(&shop.databases.write).await.unwrap();
            shop.caught_up().await;
            later_watermarks(&shop).await;
            vanishes(&shop).await;
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
async fn it_vanishes_after_tables_were_emptied() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 100).await;
    shop.caught_up().await;
    for (write, read) in [
        ("TRUNCATE outbox", "TRUNCATE sync_status"),
        ("TRUNCATE outbox", "TRUNCATE processed_events, sync_status, watermarks"),
        ("TRUNCATE outbox, outbox_progress", "TRUNCATE sync_status, topic_progress, watermarks"),
        ("TRUNCATE outbox, outbox_progress", "TRUNCATE sync_status"),
    ] {
        sqlx::query(write).execute(&shop.databases.write).await.unwrap();
        sqlx::query(read).execute(&shop.databases.read).await.unwrap();
        assert_eq!(status(&shop).await.status, 200, "{read}");
        later_watermarks(&shop).await;
        vanishes(&shop).await;
        let ordered = shop.order(1, product, 1).await;
        let event = ordered.headers["x-event-id"].to_str().unwrap();
        let shown = shop.get(&format!("/api/orders?after={event}&wait=10000&strict=true")).await;
        assert_eq!(shown.status, 200, "{write}, {read}");
        later_watermarks(&shop).await;
        vanishes(&shop).await;
    }
    shop.stop().await;
}

#[tokio::test]
async fn after_a_restart_it_is_told_from_what_was_known_before() {
    let mut shop = Shop::start().await;
    vanishes(&shop).await;
    let before = newest_watermark(&shop).await;
    shop.consumer.kill();
    shop.product("Tea", "5", 10).await;
    shop.command.kill();
    shop.query.kill();
    // Nothing but the query service runs, and it knows since when it knows nothing.
    shop.query.restart();
    shop.query.healthy().await;
    grows(&shop).await;
    let told = chrono::TimeDelta::milliseconds(lag(&shop).await);
    assert!(told <= Utc::now() - before + chrono::TimeDelta::seconds(1), "{told}");
    shop.command.restart();
    shop.consumer.restart();
    shop.command.healthy().await;
    vanishes(&shop).await;
    shop.stop().await;
}
