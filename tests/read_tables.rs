//! The read tables are plain tables in the schema `public`, with the documented columns first.
//! Truncating them stops no service.

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

/// Type and columns of a relation in the schema `public`.
async fn described(connection: &mut PgConnection, name: &str) -> (String, String) {
    sqlx::query_as(
        "SELECT table_type::text, string_agg(column_name::text, ',' ORDER BY ordinal_position)
         FROM information_schema.tables
         JOIN information_schema.columns USING (table_schema, table_name)
         WHERE table_schema = 'public' AND table_name = $1
         GROUP BY table_type",
    )
    .bind(name)
    .fetch_one(connection)
    .await
    .unwrap_or_else(|error| panic!("{name}: {error}"))
}

async fn rows(connection: &mut PgConnection, name: &str) -> i64 {
    let sql = AssertSqlSafe(format!("SELECT count(*) FROM public.{name}"));
    sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
}

async fn execute(connection: &mut PgConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.unwrap();
}

/// Orders two units, waits until the order is in the views, and returns the product's sales.
async fn sales_after_order(shop: &Shop, product: i64) -> Value {
    let order = shop.place_order(7, product, 2).await;
    shop.wait_until_found(&format!("/api/orders/{order}")).await;
    shop.get(&format!("/api/analytics/products/{product}/sales")).await.body
}

#[tokio::test]
async fn read_tables_are_plain_tables_and_can_be_truncated() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "4.5", 100).await;
    sales_after_order(&shop, product).await;
    shop.caught_up().await;
    let mut connection = PgConnection::connect(&shop.databases.urls()[1]).await.unwrap();
    for (table, first) in TABLES {
        let (kind, columns) = described(&mut connection, table).await;
        assert_eq!(kind, "BASE TABLE", "{table}");
        assert!(format!("{columns},").starts_with(&format!("{first},")), "{table}: {columns}");
        assert!(rows(&mut connection, table).await > 0, "{table}");
    }
    let catalogue = "product_id,name,category,price,stock,updated_at";
    assert_eq!(described(&mut connection, "products_read_view").await.1, catalogue);

    for (table, _) in TABLES {
        execute(&mut connection, format!("TRUNCATE {table}")).await;
    }
    let status = shop.get("/api/analytics/sync-status").await;
    status.assert_status(200);
    assert_eq!(status.body["lastProcessedEventTimestamp"], Value::Null);
    let sales = sales_after_order(&shop, product).await;
    assert_eq!((&sales["totalQuantitySold"], &sales["orderCount"]), (&2.into(), &1.into()));
    let status = shop.get("/api/analytics/sync-status").await;
    assert_eq!(status.body["eventsApplied"], 1, "{}", status.text);
    assert!(status.body["lastProcessedEventTimestamp"].is_string());
    for (table, _) in TABLES {
        assert_eq!(rows(&mut connection, table).await, 1, "{table}");
    }
    // All other columns have a default.
    execute(
        &mut connection,
        "INSERT INTO processed_events VALUES (gen_random_uuid(), now())".into(),
    )
    .await;
    connection.close().await.unwrap();
    shop.stop().await;
}

#[tokio::test]
async fn services_stay_healthy_after_all_tables_were_truncated() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "4.5", 100).await;
    shop.caught_up().await;
    let mut connection = PgConnection::connect(&shop.databases.urls()[1]).await.unwrap();
    let tables: String = sqlx::query_scalar(
        "SELECT string_agg(tablename, ', ')
         FROM pg_tables
         WHERE schemaname = 'public' AND tablename <> '_sqlx_migrations'",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    execute(&mut connection, format!("TRUNCATE {tables}")).await;
    let status = shop.get("/sync-status").await;
    status.assert_status(200);
    sales_after_order(&shop, product).await;
    shop.healthy().await;
    connection.close().await.unwrap();
    shop.stop().await;
}
