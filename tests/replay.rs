//! What was lost between outbox and views is had again by publishing it again.

use crate::harness::{Response, Shop, assert_views_agree, client, eventually, program, views};
use lapin::options::QueueDeleteOptions;
use std::process::Command;

/// Runs `cargo stack replay` with these arguments.
async fn replay(shop: &Shop, arguments: &[&str]) -> (Option<i32>, String) {
    let url = format!("http://{}", shop.command.address("operations").await);
    let output = Command::new(program("admin"))
        .arg("replay")
        .args(arguments)
        .args(["--url", &url])
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn what_a_deleted_queue_held_comes_again() {
    let mut shop = Shop::start().await;
    let product = shop.product("Tea", "5", 1_000).await;
    assert_eq!(shop.order(1, product, 1).await.status, 201);
    shop.caught_up().await;
    shop.consumer.kill();
    let from = chrono::Utc::now().to_rfc3339();
    for customer in 1..=50 {
        assert_eq!(shop.order(customer, product, 1).await.status, 201);
    }
    let unpublished = "SELECT count(*) FROM outbox WHERE published_at IS NULL";
    eventually(async || {
        let unpublished = shop.databases.query_write(unpublished).await;
        if unpublished == 0 { Ok(()) } else { Err(unpublished) }
    })
    .await;
    let (connection, channel) = shop.broker.channel().await;
    channel.queue_delete("order-events".into(), QueueDeleteOptions::default()).await.unwrap();
    connection.close(200, "bye".into()).await.unwrap();
    shop.consumer.restart();
    shop.consumer.healthy().await;
    // The lag knows that they are missing.
    eventually(async || {
        let status = shop.get("/sync-status").await;
        if status.body["pendingEvents"] == 50 { Ok(()) } else { Err(status.text) }
    })
    .await;
    let marks = "SELECT extract(epoch FROM max(published_at))::bigint
                 + hashtext(string_agg(published_at::text, '' ORDER BY id)) FROM outbox";
    let before = shop.databases.query_write(marks).await;

    let (code, text) = replay(&shop, &["--from", &from, "--topic", "order-events"]).await;
    assert_eq!((code, text.contains("50 events published again")), (Some(0), true), "{text}");
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    assert_eq!(shop.databases.query_write(marks).await, before, "published_at is as it was");

    // The whole history once more changes nothing.
    let shown = views(&shop.databases).await;
    let (code, text) = replay(&shop, &["--all"]).await;
    assert_eq!((code, text.contains("52 events published again")), (Some(0), true), "{text}");
    assert_eq!(shop.order(1, product, 1).await.status, 201);
    shop.caught_up().await;
    assert_ne!(views(&shop.databases).await, shown);
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn a_replay_that_makes_no_sense_is_refused() {
    let shop = Shop::start().await;
    let (code, text) =
        replay(&shop, &["--from", "2026-02-01", "--to", "2026-01-01T00:00:00Z"]).await;
    assert!(code == Some(1) && text.contains("to must be after from"), "{text}");
    let (code, text) = replay(&shop, &["--from", "yesterday"]).await;
    assert!(code == Some(1) && text.contains("from must be a time like"), "{text}");
    let url = format!("http://{}/admin/replay", shop.command.address("operations").await);
    let misspelt = Response::to(client().post(format!("{url}?form=2026-01-01"))).await.unwrap();
    assert_eq!((misspelt.status, &misspelt.body["errors"][0]["field"]), (400, &"form".into()));
    let none = Response::to(client().get(&url)).await.unwrap();
    assert_eq!((none.status, none.error()), (404, "No replay"));
    // An empty stretch is no mistake.
    let (code, text) = replay(&shop, &["--to", "2000-01-01"]).await;
    assert_eq!((code, text.contains("0 events published again")), (Some(0), true), "{text}");
    shop.stop().await;
}
