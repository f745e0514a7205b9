//! Row locks of open transactions.

use super::environment::Environment;
use crate::harness::lock_rows;

/// Transactions lock a popular product and rows of a view.
pub async fn held(environment: &mut Environment) {
    let databases = &environment.shop.databases;
    let product = databases.lock_rows("SELECT FROM products WHERE id = 1 FOR UPDATE").await;
    let views = lock_rows(&databases.read, "SELECT FROM product_sales_view FOR UPDATE").await;
    environment.random_delay(3_000..9_000).await;
    product.rollback().await.unwrap();
    environment.random_delay(0..2_000).await;
    views.rollback().await.unwrap();
}
