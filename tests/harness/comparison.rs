//! Comparing every view with sums computed from the write database.

use super::database::Databases;
use sqlx::{AssertSqlSafe, PgPool};
use std::collections::BTreeSet;

/// A view, what of it is compared, and the same computed from rows of the write
/// database.
struct View {
    name: &'static str,
    shown: &'static str,
    written: String,
}

/// Lines of orders, with what matters of their orders.
const LINES: &str = "(
    SELECT order_items.*, quantity * price AS amount, status,
           date_trunc('hour', created_at, 'UTC') AS hour
    FROM order_items
    JOIN orders ON orders.id = order_id
) AS line";

/// Every view.
fn all_views() -> Vec<View> {
    let pieces = by_status("sum(quantity)", "bigint");
    let amounts = by_status("sum(amount)", "numeric(24, 4)");
    let orders = by_status("count(DISTINCT order_id)", "bigint");
    let totals = by_status("sum(total)", "numeric(24, 4)");
    let whole_orders = by_status("count(*)", "bigint");
    let view = |name, shown, written| View { name, shown, written };
    vec![
        view(
            "product_sales_view",
            "SELECT product_id,
                    gross_quantity, cancelled_quantity, refunded_quantity, total_quantity_sold,
                    gross_revenue, cancelled_revenue, refunded_revenue, total_revenue,
                    gross_orders, cancelled_orders, refunded_orders, order_count
             FROM product_sales_view",
            format!("SELECT product_id, {pieces}, {amounts}, {orders} FROM {LINES} GROUP BY 1"),
        ),
        view(
            "hourly_product_sales_view",
            "SELECT hour_timestamp, product_id,
                    gross_quantity, cancelled_quantity, refunded_quantity, total_quantity,
                    gross_revenue, cancelled_revenue, refunded_revenue, total_revenue,
                    gross_orders, cancelled_orders, refunded_orders, total_orders
             FROM hourly_product_sales_view",
            format!(
                "SELECT hour, product_id, {pieces}, {amounts}, {orders} FROM {LINES} GROUP BY 1, 2"
            ),
        ),
        view(
            "category_metrics_view",
            "SELECT category_name,
                    gross_revenue, cancelled_revenue, refunded_revenue, total_revenue,
                    gross_orders, cancelled_orders, refunded_orders, total_orders
             FROM category_metrics_view
             WHERE gross_orders > 0",
            format!("SELECT category, {amounts}, {orders} FROM {LINES} GROUP BY 1"),
        ),
        view(
            "customer_ltv_view",
            "SELECT customer_id, last_order_date,
                    gross_spent, cancelled_spent, refunded_spent, total_spent,
                    gross_orders, cancelled_orders, refunded_orders, order_count
             FROM customer_ltv_view
             WHERE gross_orders > 0",
            format!(
                "SELECT customer_id, max(created_at), {totals}, {whole_orders}
                 FROM orders GROUP BY 1"
            ),
        ),
        view(
            "hourly_sales_view",
            "SELECT hour_timestamp,
                    gross_revenue, cancelled_revenue, refunded_revenue, total_revenue,
                    gross_orders, cancelled_orders, refunded_orders, total_orders
             FROM hourly_sales_view",
            format!(
                "SELECT date_trunc('hour', created_at, 'UTC'), {totals}, {whole_orders}
                 FROM orders GROUP BY 1"
            ),
        ),
        view(
            "products_read_view",
            "SELECT product_id, name, category, price, stock FROM products_read_view",
            "SELECT id, name, category, price, stock FROM products".to_owned(),
        ),
        view(
            "orders_read",
            "SELECT order_id, customer_id, total, status, created_at, state_version,
                    (SELECT string_agg(
                         concat_ws(' ', item ->> 'productId', item ->> 'productName',
                                   item ->> 'category', item ->> 'quantity',
                                   (item ->> 'price')::numeric(16, 4), item ->> 'stockTaken',
                                   item ->> 'stockReturned'),
                         ', ' ORDER BY place)
                     FROM jsonb_array_elements(items) WITH ORDINALITY AS line (item, place))
             FROM orders_read",
            "SELECT orders.id, customer_id, total, status, created_at, version,
                    string_agg(
                        concat_ws(' ', product_id, product_name, category, quantity, price,
                                  stock_taken, stock_returned),
                        ', ' ORDER BY order_items.id)
             FROM orders
             JOIN order_items ON order_id = orders.id
             GROUP BY orders.id"
                .to_owned(),
        ),
        view(
            "users_read",
            "SELECT user_id, name, email, created_at, account_id, address1, city, state, zip
             FROM users_read",
            "SELECT users.id, name, email, users.created_at, newest.id, address1, city, state, zip
             FROM users
             LEFT JOIN LATERAL (
                 SELECT * FROM accounts WHERE user_id = users.id ORDER BY id DESC LIMIT 1
             ) AS newest ON TRUE"
                .to_owned(),
        ),
    ]
}

/// A sum over all orders, over the cancelled, over the refunded, and over those
/// that stand.
fn by_status(sum: &str, kind: &str) -> String {
    [
        "TRUE",
        "status = 'CANCELLED'",
        "status = 'REFUNDED'",
        "status NOT IN ('CANCELLED', 'REFUNDED')",
    ]
    .map(|condition| format!("coalesce({sum} FILTER (WHERE {condition}), 0)::{kind}"))
    .join(", ")
}

async fn rows(pool: &PgPool, sql: &str) -> BTreeSet<String> {
    let sql = format!("SELECT row::text FROM ({sql}) AS row");
    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap();
    rows.into_iter().collect()
}

/// Panics with what differs, should any view differ from the write database.
pub async fn assert_views_agree(databases: &Databases) {
    for View { name, shown, written } in all_views() {
        let (shown, written) =
            (rows(&databases.read, shown).await, rows(&databases.write, &written).await);
        let missing: Vec<_> = written.difference(&shown).collect();
        let wrong: Vec<_> = shown.difference(&written).collect();
        assert!(
            missing.is_empty() && wrong.is_empty(),
            "{name}: shown and not written {wrong:?}, written and not shown {missing:?}"
        );
    }
    assert_eq!(databases.written("SELECT count(*) FROM products WHERE stock < 0").await, 0);
    // An order exists if and only if its event does, and so on for each change.
    let versions = databases.written("SELECT coalesce(sum(version), 0)::bigint FROM orders").await;
    let order_events =
        databases.written("SELECT count(*) FROM outbox WHERE topic = 'order-events'").await;
    assert_eq!(versions, order_events, "each version of an order has its event");
    let versions = databases.written("SELECT coalesce(sum(version), 0)::bigint FROM users").await;
    let user_events =
        databases.written("SELECT count(*) FROM outbox WHERE topic = 'user-events'").await;
    assert_eq!(versions, user_events, "each version of a user has its event");
}

/// All rows of all views, to see that nothing changes.
pub async fn views(databases: &Databases) -> Vec<BTreeSet<String>> {
    let mut views = Vec::new();
    for View { name, .. } in all_views() {
        views.push(rows(&databases.read, &format!("SELECT * FROM {name}")).await);
    }
    views
}
