//! Orders that nobody pays are cancelled when their time to pay is over.

use crate::harness::{Shop, assert_views_agree, lock_rows};
use futures::future::{join, join_all};
use serde_json::{Value, json};

const EXPIRED: &str = "SELECT count(*) FROM orders WHERE reason = 'PAYMENT_TIMEOUT'";

/// Lets the time to pay of orders pass.
async fn expire(shop: &Shop, orders: &[i64]) {
    let sql = "UPDATE orders SET stored_at = stored_at - interval '1 day' WHERE id = ANY ($1)";
    sqlx::query(sql).bind(orders).execute(&shop.databases.write).await.unwrap();
}

#[tokio::test]
async fn an_unpaid_order_is_cancelled_and_its_units_return_to_stock() {
    let mut shop = Shop::start().await;
    let tea = shop.product("Tea", "2.5", 10).await;
    let [unpaid, paid, young] = [
        shop.place_order(7, tea, 2).await,
        shop.place_order(7, tea, 3).await,
        shop.place_order(7, tea, 1).await,
    ];
    shop.set_status(paid, "PAID").await.assert_status(200);
    expire(&shop, &[unpaid, paid]).await;

    // Off by default.
    assert_eq!(shop.command.health().await.body["expiry"], Value::Null);

    shop.command.restart_with(&[("UNPAID_ORDER_TIMEOUT", "1h")]);
    shop.databases.wait_for_write(EXPIRED, 1).await;
    shop.command.healthy().await;
    shop.caught_up().await;
    let order = shop.get(&format!("/api/orders/{unpaid}")).await.body;
    assert_eq!([&order["status"], &order["reason"]], ["CANCELLED", "PAYMENT_TIMEOUT"]);
    assert_eq!(order["items"][0]["stockReturned"], 2);
    for (order, status) in [(paid, "PAID"), (young, "CREATED")] {
        assert_eq!(shop.get(&format!("/api/orders/{order}")).await.body["status"], status);
    }
    assert_eq!(shop.get(&format!("/api/products/{tea}")).await.body["stock"], 6);
    let customer = shop.get("/api/analytics/customers/7/lifetime-value").await.body;
    assert_eq!([&customer["totalSpent"], &customer["orderCount"]], [&json!(10), &json!(2)]);

    let late = shop.set_status(unpaid, "PAID").await;
    late.assert_refused(409, "Invalid status transition");
    assert_eq!(
        late.body["detail"],
        "The order is CANCELLED (PAYMENT_TIMEOUT), which is final; not PAID. Nothing was changed."
    );
    assert_eq!(shop.command.metrics().await.value("shop_orders_expired_total", &[]), 1.0);
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

/// Each order is either paid or expired, and whoever pays too late gets the reason.
#[tokio::test]
async fn a_payment_and_the_expiry_of_an_order_exclude_each_other() {
    let shop = Shop::start_with(&[("UNPAID_ORDER_TIMEOUT", "1h")]).await;
    let tea = shop.product("Tea", "2.5", 1_000).await;
    let mut orders = Vec::new();
    for customer in 1..=100 {
        orders.push(shop.place_order(customer, tea, 1).await);
    }
    let payments = join_all(orders.iter().map(|order| shop.set_status(*order, "PAID")));
    let (payments, ()) = join(payments, expire(&shop, &orders)).await;
    let paid = payments.iter().filter(|payment| payment.status == 200).count() as i64;
    for refused in payments.iter().filter(|payment| payment.status != 200) {
        refused.assert_refused(409, "Invalid status transition");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.starts_with("The order is CANCELLED (PAYMENT_TIMEOUT)"), "{detail}");
    }
    shop.databases.wait_for_write(EXPIRED, 100 - paid).await;
    let in_stock = "SELECT stock::bigint FROM products";
    assert_eq!(shop.databases.query_write(in_stock).await, 1_000 - paid);
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

/// The lock of an order that is being paid does not delay the others.
#[tokio::test]
async fn an_order_that_is_being_paid_is_skipped_until_its_lock_is_released() {
    let mut shop = Shop::start().await;
    let tea = shop.product("Tea", "2.5", 10).await;
    let [first, second] = [shop.place_order(7, tea, 1).await, shop.place_order(7, tea, 1).await];
    expire(&shop, &[first, second]).await;
    let being_paid = format!("SELECT FROM orders WHERE id = {first} FOR UPDATE");
    let payment = lock_rows(&shop.databases.write, &being_paid).await;
    shop.command.restart_with(&[("UNPAID_ORDER_TIMEOUT", "1h")]);
    shop.databases.wait_for_write(EXPIRED, 1).await;
    let late = shop.set_status(second, "PAID").await;
    late.assert_refused(409, "Invalid status transition");
    payment.rollback().await.unwrap();
    shop.databases.wait_for_write(EXPIRED, 2).await;
    shop.stop().await;
}

#[tokio::test]
async fn several_command_services_cancel_each_order_once() {
    let shop = Shop::start_with(&[("UNPAID_ORDER_TIMEOUT", "1h")]).await;
    let others = [shop.another_command_service(), shop.another_command_service()];
    for other in &others {
        other.healthy().await;
    }
    let tea = shop.product("Tea", "2.5", 1_000).await;
    let mut orders = Vec::new();
    for customer in 1..=120 {
        orders.push(shop.place_order(customer, tea, 1).await);
    }
    expire(&shop, &orders).await;
    shop.databases.wait_for_write(EXPIRED, 120).await;
    assert_eq!(shop.databases.query_write("SELECT stock::bigint FROM products").await, 1_000);
    let events = "SELECT count(*) FROM outbox WHERE payload ->> 'reason' = 'PAYMENT_TIMEOUT'";
    assert_eq!(shop.databases.query_write(events).await, 120);
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    drop(others);
    shop.stop().await;
}
