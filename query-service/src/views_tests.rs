//! What is answered from given views, on a real database.

use crate::router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::{Value, json};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, PgPool};
use tower::ServiceExt;

static MIGRATIONS: Migrator = sqlx::migrate!("../db/read");

/// Status, body and next cursor of `GET path`.
async fn get(pool: &PgPool, path: &str) -> (u16, Value, Option<String>) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router::routes(pool.clone()).oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let cursor = response.headers().get("x-next-cursor");
    let cursor = cursor.map(|value| value.to_str().unwrap().to_owned());
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap(), cursor)
}

async fn fill(pool: &PgPool, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(pool).await.unwrap();
}

/// A page's ids, by cursors until there are no more.
async fn all_pages(pool: &PgPool, path: &str, id: &str) -> Vec<Vec<i64>> {
    let mut pages = Vec::new();
    let mut cursor = None;
    loop {
        let after = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let (status, body, next) = get(pool, &format!("{path}{after}")).await;
        assert_eq!(status, 200, "{body}");
        let ids = body.as_array().unwrap().iter().map(|row| row[id].as_i64().unwrap());
        pages.push(ids.collect());
        match next {
            Some(next) => cursor = Some(next),
            None => return pages,
        }
    }
}

#[sqlx::test(migrator = "MIGRATIONS")]
async fn a_category_is_found_exactly_or_else_without_regard_to_case(pool: PgPool) {
    fill(
        &pool,
        "INSERT INTO category_metrics_view (category_name, gross_revenue, gross_orders)
         VALUES ('Books', 10.50, 2), ('BOOKS', 0.25, 1), ('Tea', 3, 1)",
    )
    .await;
    for (asked, shown, revenue, orders) in [
        ("Books", "Books", 10.5, 2),
        ("BOOKS", "BOOKS", 0.25, 1),
        ("books", "books", 10.75, 3),
        ("TEA", "Tea", 3.0, 1),
    ] {
        let (status, body, _) =
            get(&pool, &format!("/api/analytics/categories/{asked}/revenue")).await;
        assert_eq!(status, 200);
        assert_eq!(body["category"], shown);
        assert_eq!(body["totalRevenue"].as_f64(), Some(revenue));
        assert_eq!(body["totalOrders"], orders);
    }
    assert_eq!(get(&pool, "/api/analytics/categories/Te/revenue").await.0, 404);
}

#[sqlx::test(migrator = "MIGRATIONS")]
async fn windows_start_within_start_and_end_and_come_in_pages(pool: PgPool) {
    fill(
        &pool,
        "INSERT INTO hourly_product_sales_view
             (hour_timestamp, product_id, gross_quantity, gross_revenue, gross_orders)
         SELECT timestamptz '2026-01-01Z' + hour * interval '1 hour', product, 1, 1.25, 1
         FROM generate_series(0, 4) AS hour, generate_series(1, 3) AS product",
    )
    .await;
    let between = "/api/analytics/hourly-sales?start=2026-01-01T01:00:00Z&end=2026-01-01T03:00:00Z";
    let (_, body, _) = get(&pool, &format!("{between}&productId=2")).await;
    let window = |start: &str, end: &str| {
        json!({"windowStart": start, "windowEnd": end, "productId": 2, "totalSales": 1.25,
               "totalQuantity": 1, "totalOrders": 1})
    };
    assert_eq!(
        body,
        json!([
            window("2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"),
            window("2026-01-01T02:00:00Z", "2026-01-01T03:00:00Z"),
        ])
    );
    let pages = all_pages(&pool, &format!("{between}&limit=4"), "productId").await;
    assert_eq!(pages, [vec![1, 2, 3, 1], vec![2, 3]]);
    let pages = all_pages(&pool, &format!("{between}&productId=3&limit=1"), "productId").await;
    assert_eq!(pages, [[3], [3]]);
}

#[sqlx::test(migrator = "MIGRATIONS")]
async fn lists_come_by_id_in_both_directions(pool: PgPool) {
    fill(
        &pool,
        "INSERT INTO products_read_view (product_id, name, category, price, updated_at)
         SELECT id, 'Tea', 'Food', 1.5, now() FROM generate_series(1, 5) AS id;
         -- Only orders have told of this one.
         INSERT INTO products_read_view (product_id, updated_at) VALUES (6, now())",
    )
    .await;
    let pages = all_pages(&pool, "/api/products?limit=2", "id").await;
    assert_eq!(pages, [vec![1, 2], vec![3, 4], vec![5]]);
    let pages = all_pages(&pool, "/api/products?limit=3&order=desc", "id").await;
    assert_eq!(pages, [vec![5, 4, 3], vec![2, 1]]);
    assert_eq!(get(&pool, "/api/products/6").await.0, 404);
    assert_eq!(get(&pool, "/api/analytics/products/6/sales").await.0, 200);
}

#[sqlx::test(migrator = "MIGRATIONS")]
async fn lag_is_told_by_the_oldest_count_that_is_not_reached(pool: PgPool) {
    fill(
        &pool,
        "UPDATE watermarks SET taken_at = now();
         UPDATE topic_progress SET seen = 5 WHERE topic = 'order-events'",
    )
    .await;
    let (_, body, _) = get(&pool, "/api/analytics/sync-status").await;
    assert_eq!((&body["lagSeconds"], &body["isCaughtUp"]), (&json!(0), &json!(true)));
    assert_eq!(body["lastProcessedEventTimestamp"], Value::Null);

    fill(
        &pool,
        "INSERT INTO watermarks (topic, taken_at, committed)
         VALUES ('order-events', now() - interval '20 seconds', 5),
                ('order-events', now() - interval '10 seconds', 7),
                ('order-events', now(), 8)",
    )
    .await;
    let (_, body, _) = get(&pool, "/sync-status").await;
    assert_eq!((&body["pendingEvents"], &body["isCaughtUp"]), (&json!(3), &json!(false)));
    let lag = body["lagMilliseconds"].as_i64().unwrap();
    assert!((10_000..20_000).contains(&lag), "{body}");
}
