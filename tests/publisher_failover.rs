//! One publisher leads. A standby takes over when the leader ends.

use crate::harness::database::LEADERS;
use crate::harness::{Shop, assert_views_agree};

#[tokio::test]
async fn a_standby_takes_over_from_a_killed_publisher() {
    let mut shop = Shop::start().await;
    let other = shop.another_command_service();
    other.healthy().await;
    let product = shop.product("Tea", "5", 10).await;
    shop.caught_up().await;

    shop.command.kill();
    shop.command = other;
    shop.place_order(1, product, 1).await;
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    shop.databases.wait_for_write(LEADERS, 1).await;
    shop.stop().await;
}
