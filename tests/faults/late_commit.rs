//! A transaction that commits after the events of later ones were published.

use super::environment::Environment;
use super::load::RECOVERY_DEADLINE;
use crate::harness::within;
use serde_json::json;
use sqlx::PgConnection;
use uuid::{ContextV7, Timestamp, Uuid};

/// The event id is a minute old: older than all that the publisher reads usually.
pub async fn of_a_lower_id(environment: &mut Environment) {
    let databases = &environment.shop.databases;
    let mut late = databases.write.begin().await.unwrap();
    let now = chrono::Utc::now().timestamp().unsigned_abs();
    let id = Uuid::new_v7(Timestamp::from_unix(ContextV7::new(), now - 60, 0));
    let product = insert_product(&mut late, id).await;
    let published = "SELECT count(*) FROM outbox WHERE published_at IS NOT NULL";
    let before = databases.query_write(published).await;
    environment.wait_for_more_than(before + 20, published).await;
    late.commit().await.unwrap();
    environment.load.ledger.entries().products.insert(product, Some(7));
    within(RECOVERY_DEADLINE, async || {
        let found = databases.query_read("SELECT count(*) FROM products_read_view WHERE stock = 7");
        if found.await == 1 { Ok(()) } else { Err("the product is not in the view") }
    })
    .await;
}

/// Inserts a product and its event, as the command service does.
async fn insert_product(connection: &mut PgConnection, event: Uuid) -> i64 {
    let product: i64 = sqlx::query_scalar(
        "INSERT INTO products (name, category, price, stock) VALUES ('Late', 'Late', 1, 7)
         RETURNING id",
    )
    .fetch_one(&mut *connection)
    .await
    .unwrap();
    let payload = json!({
        "eventId": event, "eventType": "ProductCreated", "version": 1, "aggregateVersion": 1,
        "timestamp": chrono::Utc::now(), "productId": product, "name": "Late",
        "category": "Late", "price": 1, "stock": 7, "stockDelta": 7,
    });
    sqlx::query("INSERT INTO outbox (id, topic, payload) VALUES ($1, 'product-events', $2)")
        .bind(event)
        .bind(payload)
        .execute(connection)
        .await
        .unwrap();
    product
}
