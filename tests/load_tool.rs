//! `cargo stack load` verifies the sums of the views.

use crate::harness::{Shop, assert_views_agree, execute, program};
use std::process::Output;
use tokio::process::Command;

/// Runs it with few requests, and pays this percentage of the orders.
async fn load(shop: &Shop, pay: &str) -> Output {
    let command_url = shop.command.url("api", "").await;
    let query_url = shop.query.url("api", "").await;
    Command::new(program("load"))
        .args(["--users", "60", "--products", "60", "--orders", "300", "--concurrency", "8"])
        .args(["--pay", pay, "--refund", "60", "--seed", "7"])
        .args(["--command-url", &command_url, "--query-url", &query_url])
        .kill_on_drop(true)
        .output()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_run_verifies_its_own_data_beside_other_data() {
    let shop = Shop::start().await;
    for run in 1..=2 {
        let output = load(&shop, "50").await;
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        let responses =
            "300 responses to orders, 150 responses to payments, 90 responses to refunds";
        assert!(text.contains(&format!("verified: no difference in {responses}")), "{text}");
        for (count, sql) in [
            (300, "SELECT count(*) FROM orders"),
            (150, "SELECT count(*) FROM orders WHERE status IN ('PAID', 'REFUNDED')"),
            (90, "SELECT count(*) FROM refunds"),
        ] {
            assert_eq!(shop.databases.query_write(sql).await, run * count, "{sql}");
        }
    }
    let refunded = "SELECT count(*) FROM orders WHERE status = 'REFUNDED'";
    assert!(shop.databases.query_write(refunded).await > 0);
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn a_run_without_payments_leaves_orders_unpaid() {
    let shop = Shop::start().await;
    let output = load(&shop, "0").await;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(!text.contains("payments") && !text.contains("refunds"), "{text}");
    let unpaid = "SELECT count(*) FROM orders WHERE status = 'CREATED'";
    assert_eq!(shop.databases.query_write(unpaid).await, 300);
    shop.stop().await;
}

#[tokio::test]
async fn a_wrong_ten_thousandth_and_lost_refunds_are_found() {
    let shop = Shop::start().await;
    // One product shows a ten-thousandth more revenue than it has, and orders show no refunds.
    execute(
        &shop.databases.read,
        "CREATE FUNCTION overstate() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             NEW.total_revenue := NEW.total_revenue + 0.0001;
             RETURN NEW;
         END
         $$;
         CREATE TRIGGER overstate BEFORE INSERT ON product_sales_view
         FOR EACH ROW WHEN (NEW.product_id = 5) EXECUTE FUNCTION overstate();
         CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             NEW.refunded_total := 0;
             RETURN NEW;
         END
         $$;
         CREATE TRIGGER forget BEFORE INSERT OR UPDATE ON orders_read
         FOR EACH ROW EXECUTE FUNCTION forget()",
    )
    .await;
    let output = load(&shop, "25").await;
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("/api/analytics/products/5/sales is "), "{text}");
    assert!(text.contains("sampled orders: ") && text.contains(" of 300 differ"), "{text}");
    shop.stop().await;
}
