//! Transactions that somebody leaves open.

use super::environment::Stage;

/// An operator holds a product that everybody wants, and rows of views.
pub async fn held(stage: &mut Stage) {
    let databases = &stage.shop.databases;
    let mut writing = databases.write.begin().await.unwrap();
    sqlx::query("SELECT FROM products WHERE id = 1 FOR UPDATE")
        .execute(&mut *writing)
        .await
        .unwrap();
    let mut reading = databases.read.begin().await.unwrap();
    sqlx::query("SELECT FROM product_sales_view FOR UPDATE").execute(&mut *reading).await.unwrap();
    stage.for_a_while(3_000..9_000).await;
    writing.rollback().await.unwrap();
    stage.for_a_while(0..2_000).await;
    reading.rollback().await.unwrap();
}
