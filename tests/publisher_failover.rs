//! One publisher is active; another one takes over when it dies.

use crate::harness::{Shop, assert_views_agree, eventually};

#[tokio::test]
async fn a_standby_takes_over_from_a_dead_publisher() {
    let mut shop = Shop::start().await;
    let other = shop.another_command_service();
    other.healthy().await;
    let product = shop.product("Tea", "5", 10).await;
    shop.caught_up().await;

    shop.command.kill();
    shop.command = other;
    assert_eq!(shop.order(1, product, 1).await.status, 201);
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    let leaders = "SELECT count(*) FROM pg_locks
                   WHERE locktype = 'advisory' AND granted AND database =
                       (SELECT oid FROM pg_database WHERE datname = current_database())";
    eventually(async || {
        let leaders = shop.databases.query_write(leaders).await;
        if leaders == 1 { Ok(()) } else { Err(leaders) }
    })
    .await;
    shop.stop().await;
}
