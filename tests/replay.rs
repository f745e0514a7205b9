//! A replay publishes events of the outbox again, so that lost ones reach the views.

use crate::harness::database::UNPUBLISHED;
use crate::harness::{Response, Shop, assert_views_agree, client, views};

/// Runs `cargo stack replay` with these arguments. Returns exit code and output.
async fn replay(shop: &Shop, arguments: &str) -> (Option<i32>, String) {
    let output = shop.command.admin(&format!("replay {arguments}")).await;
    (output.code, output.stdout + &output.stderr)
}

#[tokio::test]
async fn events_lost_with_a_deleted_queue_are_restored_by_a_replay() {
    let mut shop = Shop::start().await;
    let product = shop.product("Tea", "5", 1_000).await;
    shop.place_order(1, product, 1).await;
    shop.caught_up().await;
    shop.consumer.kill();
    let from = chrono::Utc::now().to_rfc3339();
    for customer in 1..=50 {
        shop.place_order(customer, product, 1).await;
    }
    shop.databases.wait_for_write(UNPUBLISHED, 0).await;
    shop.broker.delete_queue("order-events").await;
    shop.consumer.restart();
    shop.consumer.healthy().await;
    // The lag includes the lost events.
    shop.get_until("/sync-status", |status| status.body["pendingEvents"] == 50).await;
    let marks = "SELECT extract(epoch FROM max(published_at))::bigint
                 + hashtext(string_agg(published_at::text, '' ORDER BY id)) FROM outbox";
    let before = shop.databases.query_write(marks).await;

    let (code, text) = replay(&shop, &format!("--from {from} --topic order-events")).await;
    assert_eq!((code, text.contains("50 events published again")), (Some(0), true), "{text}");
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    assert_eq!(shop.databases.query_write(marks).await, before, "published_at has changed");

    // A replay of everything changes nothing. The order behind it shows that it was applied.
    let before = views(&shop.databases).await;
    let (code, text) = replay(&shop, "--all").await;
    assert_eq!((code, text.contains("52 events published again")), (Some(0), true), "{text}");
    shop.place_order(1, product, 1).await;
    shop.caught_up().await;
    assert_ne!(views(&shop.databases).await, before);
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn an_invalid_replay_is_refused() {
    let shop = Shop::start().await;
    for (arguments, message) in [
        ("--from 2026-02-01 --to 2026-01-01T00:00:00Z", "to must be after from"),
        ("--from yesterday", "from must be a time like"),
    ] {
        let (code, text) = replay(&shop, arguments).await;
        assert!(code == Some(1) && text.contains(message), "{text}");
    }
    let url = shop.command.url("operations", "/admin/replay").await;
    let misspelt = Response::to(client().post(format!("{url}?form=2026-01-01"))).await.unwrap();
    assert_eq!((misspelt.status, &misspelt.body["errors"][0]["field"]), (400, &"form".into()));
    let none = Response::to(client().get(&url)).await.unwrap();
    none.assert_refused(404, "No replay");
    // A period without events is valid.
    let (code, text) = replay(&shop, "--to 2000-01-01").await;
    assert_eq!((code, text.contains("0 events published again")), (Some(0), true), "{text}");
    shop.stop().await;
}
