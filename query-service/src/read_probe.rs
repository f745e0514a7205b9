//! Trying whether queries can be answered, after one met a failure that others would meet
//! as well.

use sqlx::PgPool;

/// Reads from everything that queries read from.
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
/// Those that queries would meet.
pub async fn try_to_read(pool: PgPool) -> sqlx::Result<()> {
    sqlx::raw_sql(PROBE).execute(&pool).await.map(|_| ())
}
