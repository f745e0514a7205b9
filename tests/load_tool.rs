//! `cargo stack load` verifies the sums of the views.

use crate::harness::{Shop, execute, program};
use std::process::Output;
use tokio::process::Command;

/// Runs it with few requests.
async fn load(shop: &Shop) -> Output {
    let command_url = shop.command.url("api", "").await;
    let query_url = shop.query.url("api", "").await;
    Command::new(program("load"))
        .args(["--users", "60", "--products", "60", "--orders", "300", "--concurrency", "8"])
        .args(["--seed", "7", "--command-url", &command_url, "--query-url", &query_url])
        .kill_on_drop(true)
        .output()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_run_verifies_its_own_data_beside_other_data() {
    let shop = Shop::start().await;
    for run in 1..=2 {
        let output = load(&shop).await;
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        assert!(text.contains("verified: no difference in 300 responses to orders"), "{text}");
        assert_eq!(shop.databases.query_write("SELECT count(*) FROM orders").await, run * 300);
    }
    shop.stop().await;
}

#[tokio::test]
async fn a_wrong_ten_thousandth_in_one_view_is_found() {
    let shop = Shop::start().await;
    // One product shows a ten-thousandth more revenue than it has.
    execute(
        &shop.databases.read,
        "CREATE FUNCTION overstate() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             NEW.total_revenue := NEW.total_revenue + 0.0001;
             RETURN NEW;
         END
         $$;
         CREATE TRIGGER overstate BEFORE INSERT ON product_sales_view
         FOR EACH ROW WHEN (NEW.product_id = 5) EXECUTE FUNCTION overstate()",
    )
    .await;
    let output = load(&shop).await;
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("/api/analytics/products/5/sales is "), "{text}");
    shop.stop().await;
}
