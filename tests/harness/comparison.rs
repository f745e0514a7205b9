//! Comparing every view with sums computed from the write database.

use super::database::Databases;
use sqlx::{AssertSqlSafe, PgPool};
use std::collections::BTreeSet;

/// A view, and the same computed from rows of the write database.
const VIEWS: [(&str, &str, &str); 7] = [
    (
        "product_sales_view",
        "SELECT product_id, total_quantity_sold, total_revenue, order_count
         FROM product_sales_view",
        "SELECT product_id, sum(quantity)::bigint, sum(quantity * price)::numeric(24, 4),
                count(DISTINCT order_id)
         FROM order_items
         GROUP BY product_id",
    ),
    (
        "category_metrics_view",
        "SELECT category_name, total_revenue, total_orders
         FROM category_metrics_view
         WHERE total_orders > 0",
        "SELECT category, sum(quantity * price)::numeric(24, 4), count(DISTINCT order_id)
         FROM order_items
         GROUP BY category",
    ),
    (
        "customer_ltv_view",
        "SELECT customer_id, total_spent, order_count, last_order_date FROM customer_ltv_view",
        "SELECT customer_id, sum(total)::numeric(24, 4), count(*), max(created_at)
         FROM orders
         GROUP BY customer_id",
    ),
    (
        "hourly_sales_view",
        "SELECT hour_timestamp, total_orders, total_revenue FROM hourly_sales_view",
        "SELECT date_trunc('hour', created_at, 'UTC'), count(*), sum(total)::numeric(24, 4)
         FROM orders
         GROUP BY 1",
    ),
    (
        "hourly_product_sales_view",
        "SELECT hour_timestamp, product_id, total_quantity, total_revenue, total_orders
         FROM hourly_product_sales_view",
        "SELECT date_trunc('hour', orders.created_at, 'UTC'), product_id, sum(quantity)::bigint,
                sum(quantity * price)::numeric(24, 4), count(DISTINCT order_id)
         FROM order_items
         JOIN orders ON orders.id = order_id
         GROUP BY 1, 2",
    ),
    (
        "products_read_view",
        "SELECT product_id, name, category, price, stock FROM products_read_view",
        "SELECT id, name, category, price, stock FROM products",
    ),
    (
        "orders_read",
        "SELECT order_id, customer_id, total, status, created_at,
                (SELECT sum((item ->> 'quantity')::bigint * (item ->> 'price')::numeric)
                 FROM jsonb_array_elements(items) AS item)::numeric(24, 4),
                jsonb_array_length(items)
         FROM orders_read",
        "SELECT orders.id, customer_id, total, status, created_at,
                sum(quantity * price)::numeric(24, 4), count(*)::integer
         FROM orders
         JOIN order_items ON order_id = orders.id
         GROUP BY orders.id",
    ),
];

async fn rows(pool: &PgPool, sql: &str) -> BTreeSet<String> {
    let sql = format!("SELECT row::text FROM ({sql}) AS row");
    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap();
    rows.into_iter().collect()
}

/// Panics with what differs, should any view differ from the write database.
pub async fn assert_views_agree(databases: &Databases) {
    for (name, view, source) in VIEWS {
        let (shown, written) =
            (rows(&databases.read, view).await, rows(&databases.write, source).await);
        let missing: Vec<_> = written.difference(&shown).collect();
        let wrong: Vec<_> = shown.difference(&written).collect();
        assert!(
            missing.is_empty() && wrong.is_empty(),
            "{name}: shown and not written {wrong:?}, written and not shown {missing:?}"
        );
    }
    assert_eq!(databases.written("SELECT count(*) FROM products WHERE stock < 0").await, 0);
    let orders = databases.written("SELECT count(*) FROM orders").await;
    let order_events = databases
        .written("SELECT count(*) FROM outbox WHERE payload ->> 'eventType' = 'OrderCreated'")
        .await;
    assert_eq!(orders, order_events, "an order exists if and only if its event does");
}

/// All rows of all views, to see that nothing changes.
pub async fn views(databases: &Databases) -> Vec<BTreeSet<String>> {
    let mut views = Vec::new();
    for (name, ..) in VIEWS {
        views.push(rows(&databases.read, &format!("SELECT * FROM {name}")).await);
    }
    views
}
