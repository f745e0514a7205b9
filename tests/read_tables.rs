//! The read tables are plain tables in the schema `public`, with documented columns
//! first. Emptying them stops nothing.

use crate::harness::Shop;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// Tables with their first columns.
const TABLES: [(&str, &str); 8] = [
    ("product_sales_view", "product_id,total_quantity_sold,total_revenue,order_count"),
    ("category_metrics_view", "category_name,total_revenue,total_orders"),
    ("customer_ltv_view", "customer_id,total_spent,order_count,last_order_date"),
    ("hourly_sales_view", "hour_timestamp,total_orders,total_revenue"),
    ("hourly_product_sales_view", "hour_timestamp,product_id"),
    ("orders_read", "order_id,customer_id,total,status"),
    ("processed_events", "event_id,processed_at"),
    ("sync_status", "id,last_processed_event_timestamp"),
];

/// All columns of a relation in the schema `public`, and its type.
async fn described(outsider: &mut PgConnection, name: &str) -> (String, String) {
    sqlx::query_as(
        "SELECT table_type::text, string_agg(column_name::text, ',' ORDER BY ordinal_position)
         FROM information_schema.tables
         JOIN information_schema.columns USING (table_schema, table_name)
         WHERE table_schema = 'public' AND table_name = $1
         GROUP BY table_type",
    )
    .bind(name)
    .fetch_one(outsider)
    .await
    .unwrap_or_else(|error| panic!("{name}: {error}"))
}

async fn rows(outsider: &mut PgConnection, name: &str) -> i64 {
    let sql = AssertSqlSafe(format!("SELECT count(*) FROM public.{name}"));
    sqlx::query_scalar(sql).fetch_one(outsider).await.unwrap()
}

async fn execute(outsider: &mut PgConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(outsider).await.unwrap();
}

/// Orders two pieces, and waits until the order and the product's sales are shown.
async fn ordered_and_shown(shop: &Shop, product: i64) -> Value {
    let order = shop.order(7, product, 2).await.integer("orderId");
    shop.wait_until_found(&format!("/api/orders/{order}")).await;
    shop.get(&format!("/api/analytics/products/{product}/sales")).await.body
}

#[tokio::test]
async fn tables_are_plain_in_public_and_can_be_emptied_at_any_time() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "4.5", 100).await;
    ordered_and_shown(&shop, product).await;
    shop.caught_up().await;
    let mut outsider = PgConnection::connect(&shop.databases.urls()[1]).await.unwrap();
    for (table, first) in TABLES {
        let (kind, columns) = described(&mut outsider, table).await;
        assert_eq!(kind, "BASE TABLE", "{table}");
        assert!(format!("{columns},").starts_with(&format!("{first},")), "{table}: {columns}");
        assert!(rows(&mut outsider, table).await > 0, "{table}");
    }
    let catalogue = "product_id,name,category,price,stock,updated_at";
    assert_eq!(described(&mut outsider, "products_read_view").await.1, catalogue);

    for (table, _) in TABLES {
        execute(&mut outsider, format!("TRUNCATE {table}")).await;
    }
    let status = shop.get("/api/analytics/sync-status").await;
    assert_eq!(status.status, 200, "{}", status.text);
    assert_eq!(status.body["lastProcessedEventTimestamp"], Value::Null);
    let sales = ordered_and_shown(&shop, product).await;
    assert_eq!((&sales["totalQuantitySold"], &sales["orderCount"]), (&2.into(), &1.into()));
    let status = shop.get("/api/analytics/sync-status").await;
    assert_eq!(status.body["eventsApplied"], 1, "{}", status.text);
    assert!(status.body["lastProcessedEventTimestamp"].is_string());
    for (table, _) in TABLES {
        assert_eq!(rows(&mut outsider, table).await, 1, "{table}");
    }
    // Every further column has a default.
    execute(&mut outsider, "INSERT INTO processed_events VALUES (gen_random_uuid(), now())".into())
        .await;
    outsider.close().await.unwrap();
    shop.stop().await;
}

#[tokio::test]
async fn services_go_on_when_every_table_was_emptied() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "4.5", 100).await;
    shop.caught_up().await;
    let mut outsider = PgConnection::connect(&shop.databases.urls()[1]).await.unwrap();
    let tables: String = sqlx::query_scalar(
        "SELECT string_agg(tablename, ', ')
         FROM pg_tables
         WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations'",
    )
    .fetch_one(&mut outsider)
    .await
    .unwrap();
    execute(&mut outsider, format!("TRUNCATE {tables}")).await;
    let status = shop.get("/sync-status").await;
    assert_eq!(status.status, 200, "{}", status.text);
    ordered_and_shown(&shop, product).await;
    for service in [&shop.command, &shop.consumer, &shop.query] {
        service.healthy().await;
    }
    outsider.close().await.unwrap();
    shop.stop().await;
}
