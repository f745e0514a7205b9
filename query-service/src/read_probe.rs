//! Checks whether queries can be answered, after one failed for a reason that affects
//! others.

use sqlx::PgPool;

/// Reads from every table and view that queries use.
const PROBE: &str = "SELECT FROM products_read_view LIMIT 1;
    SELECT FROM orders_read LIMIT 1;
    SELECT FROM users_read LIMIT 1;
    SELECT FROM product_sales_view LIMIT 1;
    SELECT FROM category_metrics_view LIMIT 1;
    SELECT FROM customer_ltv_view LIMIT 1;
    SELECT FROM hourly_sales_view LIMIT 1;
    SELECT FROM hourly_product_sales_view LIMIT 1;
    SELECT FROM projections LIMIT 1;
    SELECT FROM dead_letters LIMIT 1;
    SELECT FROM processed_events LIMIT 1;
    SELECT FROM sync_status, watermarks, topic_progress LIMIT 1";

/// # Errors
/// Those of queries.
pub async fn try_to_read(pool: PgPool) -> sqlx::Result<()> {
    sqlx::raw_sql(PROBE).execute(&pool).await.map(|_| ())
}
