//! What the views must show of a shop, and whether they do.

use super::shop::{Order, Product, Shop, User};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use shared_events::{OrderLine, OrderStatus};
use sqlx::PgPool;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// In total, cancelled and refunded, of one figure.
type Sums<T> = [T; 3];

/// What a sales view shows in a row: quantity (none where a view has none),
/// revenue, orders.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sales {
    quantity: Sums<i64>,
    revenue: Sums<Decimal>,
    orders: Sums<i64>,
}

/// Sales by a key, from the books. A line without a key's view counts nothing.
fn sales<K: Ord + Clone>(shop: &Shop, key: impl Fn(&Order, &OrderLine) -> K) -> BTreeMap<K, Sales> {
    let mut sales: BTreeMap<K, Sales> = BTreeMap::new();
    for order in &shop.orders {
        let column = match order.status {
            OrderStatus::Cancelled => 1,
            OrderStatus::Refunded => 2,
            _ => 0,
        };
        let keys: BTreeSet<K> = order.lines.iter().map(|line| key(order, line)).collect();
        for line in &order.lines {
            let row = sales.entry(key(order, line)).or_default();
            row.quantity[column] += i64::from(line.quantity);
            row.revenue[column] += line.amount().unwrap().as_decimal();
        }
        for key in keys {
            sales.entry(key).or_default().orders[column] += 1;
        }
    }
    sales
}

fn hour(order: &Order) -> DateTime<Utc> {
    use chrono::DurationRound;
    order.ordered_at.duration_trunc(chrono::TimeDelta::hours(1)).unwrap()
}

/// Reads a sales view: `key` is an expression, the others are the columns of its figures.
macro_rules! sales_view {
    ($pool:expr, $view:literal, $key:literal, $quantity:literal, $revenue:literal, $orders:literal) => {{
        let sql = concat!(
            "SELECT ", $key, ", ", $quantity, ", ", $revenue, ", ", $orders, " FROM ", $view
        );
        sqlx::query_as(sql)
            .fetch_all($pool)
            .await
            .unwrap()
            .into_iter()
            .map(|(key, q0, q1, q2, r0, r1, r2, o0, o1, o2)| {
                let sales =
                    Sales { quantity: [q0, q1, q2], revenue: [r0, r1, r2], orders: [o0, o1, o2] };
                (key, sales)
            })
            .collect::<BTreeMap<_, Sales>>()
    }};
}

fn without_quantity<K: Ord>(mut sales: BTreeMap<K, Sales>) -> BTreeMap<K, Sales> {
    sales.values_mut().for_each(|sales| sales.quantity = Sums::default());
    sales
}

fn compare<T: PartialEq + Debug>(view: &str, shown: &T, expected: &T) -> Result<(), String> {
    if shown == expected {
        Ok(())
    } else {
        Err(format!("{view} shows\n{shown:?}\ninstead of\n{expected:?}"))
    }
}

/// Whether every view shows what the books say.
pub async fn agree(pool: &PgPool, shop: &Shop) -> Result<(), String> {
    agree_on_sales(pool, shop).await?;
    agree_on_state(pool, shop).await
}

async fn agree_on_sales(pool: &PgPool, shop: &Shop) -> Result<(), String> {
    let shown: BTreeMap<i64, Sales> = sales_view!(
        pool,
        "product_sales_view",
        "product_id",
        "total_quantity_sold, cancelled_quantity, refunded_quantity",
        "total_revenue, cancelled_revenue, refunded_revenue",
        "order_count, cancelled_orders, refunded_orders"
    );
    compare("product_sales_view", &shown, &sales(shop, |_, line| line.product_id))?;

    let shown: BTreeMap<String, Sales> = sales_view!(
        pool,
        "hourly_product_sales_view",
        "hour_timestamp || ' ' || product_id",
        "total_quantity, cancelled_quantity, refunded_quantity",
        "total_revenue, cancelled_revenue, refunded_revenue",
        "total_orders, cancelled_orders, refunded_orders"
    );
    let expected = sales(shop, |order, line| {
        format!("{} {}", hour(order).format("%Y-%m-%d %H:%M:%S+00"), line.product_id)
    });
    compare("hourly_product_sales_view", &shown, &expected)?;

    let shown: BTreeMap<String, Sales> = sales_view!(
        pool,
        "category_metrics_view",
        "category_name",
        "0::bigint, 0::bigint, 0::bigint",
        "total_revenue, cancelled_revenue, refunded_revenue",
        "total_orders, cancelled_orders, refunded_orders"
    );
    let mut expected = without_quantity(sales(shop, |_, line| line.category.clone()));
    for category in &shop.categories {
        expected.entry(category.clone()).or_default();
    }
    compare("category_metrics_view", &shown, &expected)?;

    let shown: BTreeMap<DateTime<Utc>, Sales> = sales_view!(
        pool,
        "hourly_sales_view",
        "hour_timestamp",
        "0::bigint, 0::bigint, 0::bigint",
        "total_revenue, cancelled_revenue, refunded_revenue",
        "total_orders, cancelled_orders, refunded_orders"
    );
    compare("hourly_sales_view", &shown, &without_quantity(sales(shop, |order, _| hour(order))))?;

    let shown: BTreeMap<i64, Sales> = sales_view!(
        pool,
        "customer_ltv_view",
        "customer_id",
        "0::bigint, 0::bigint, 0::bigint",
        "total_spent, cancelled_spent, refunded_spent",
        "order_count, cancelled_orders, refunded_orders"
    );
    let mut expected = without_quantity(sales(shop, |order, _| order.customer));
    for user in &shop.users {
        expected.entry(user.state.user_id).or_default();
    }
    compare("customer_ltv_view", &shown, &expected)
}

async fn agree_on_state(pool: &PgPool, shop: &Shop) -> Result<(), String> {
    let shown: Vec<(i64, String, String, Decimal, Option<i64>)> = sqlx::query_as(
        "SELECT product_id, name, category, price, stock FROM products_read_view ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let expected = shop.products.iter().map(|Product { state, .. }| {
        let stock = state.stock.map(i64::from);
        let (name, category) = (state.name.clone(), state.category.clone());
        (state.product_id, name, category, state.price.as_decimal(), stock)
    });
    compare("products_read_view", &shown, &expected.collect())?;

    let shown: Vec<(i64, i64, Decimal, String, DateTime<Utc>, String)> = sqlx::query_as(
        "SELECT order_id, customer_id, total, status, created_at, items::text
         FROM orders_read ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let shown: Vec<_> = shown
        .into_iter()
        .map(|(id, customer, total, status, ordered_at, items)| {
            let lines: Vec<OrderLine> = serde_json::from_str(&items).unwrap();
            (id, customer, total, status, ordered_at, lines)
        })
        .collect();
    let expected = shop.orders.iter().map(|order| {
        let (status, lines) = (order.status.to_string(), order.lines.clone());
        (order.id, order.customer, order.total.as_decimal(), status, order.ordered_at, lines)
    });
    compare("orders_read", &shown, &expected.collect())?;

    let shown: Vec<(i64, String, String, Option<String>)> =
        sqlx::query_as("SELECT user_id, name, email, address1 FROM users_read ORDER BY 1")
            .fetch_all(pool)
            .await
            .unwrap();
    let expected = shop.users.iter().map(|User { state, account, .. }| {
        let address = account.as_ref().map(|account| account.address1.clone());
        (state.user_id, state.name.clone(), state.email.clone(), address)
    });
    compare("users_read", &shown, &expected.collect())?;

    let shown: Vec<(i64, DateTime<Utc>)> = sqlx::query_as(
        "SELECT customer_id, last_order_date
         FROM customer_ltv_view
         WHERE last_order_date IS NOT NULL
         ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let last_orders: BTreeMap<i64, DateTime<Utc>> =
        shop.orders.iter().map(|order| (order.customer, order.ordered_at)).collect();
    compare("customer_ltv_view", &shown, &last_orders.into_iter().collect())
}
