//! Responses from given views, on a real database.

use crate::database::Lists;
use crate::event_waiting::EventWaiting;
use crate::router;
use crate::state::AppState;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::{Value, json};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, PgPool};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tower::ServiceExt;

static MIGRATIONS: Migrator = sqlx::migrate!("../db/read");

/// Status, body and next cursor of `GET path`.
async fn get(pool: &PgPool, path: &str) -> (u16, Value, Option<String>) {
    let state = AppState::new(pool, Lists(pool.clone()));
    let request = Request::get(path).body(Body::empty()).unwrap();
    let (event_waiting, watching) = EventWaiting::watch(pool, CancellationToken::new());
    let _watching = AbortOnDropHandle::new(tokio::spawn(watching));
    let router = axum::Router::from(router::served(state, event_waiting));
    let response = router.oneshot(request).await.unwrap();
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
    let categories =
        "INSERT INTO category_metrics_view (category_name, total_revenue, total_orders)
        VALUES ('Books', 10.50, 2), ('BOOKS', 0.25, 1), ('Tea', 3, 1)";
    fill(&pool, categories).await;
    for (requested, shown, revenue, orders) in [
        ("Books", "Books", 10.5, 2),
        ("BOOKS", "BOOKS", 0.25, 1),
        ("books", "books", 10.75, 3),
        ("TEA", "Tea", 3.0, 1),
    ] {
        let (status, body, _) =
            get(&pool, &format!("/api/analytics/categories/{requested}/revenue")).await;
        assert_eq!(status, 200);
        assert_eq!(body["category"], shown);
        assert_eq!(body["totalRevenue"].as_f64(), Some(revenue));
        assert_eq!(body["totalOrders"], orders);
    }
    assert_eq!(get(&pool, "/api/analytics/categories/Te/revenue").await.0, 404);
}

#[sqlx::test(migrator = "MIGRATIONS")]
async fn windows_start_within_start_and_end_and_come_in_pages(pool: PgPool) {
    let windows = "INSERT INTO hourly_product_sales_view
            (hour_timestamp, product_id, total_quantity, total_revenue, total_orders)
        SELECT timestamptz '2026-01-01Z' + hour * interval '1 hour', product, 1, 1.25, 1
        FROM generate_series(0, 4) AS hour, generate_series(1, 3) AS product";
    fill(&pool, windows).await;
    let cancelled = "-- All that was ordered has been cancelled.
        INSERT INTO hourly_product_sales_view
            (hour_timestamp, product_id, total_quantity, total_revenue, total_orders,
             cancelled_quantity, cancelled_revenue, cancelled_orders)
        VALUES ('2026-01-01T02:00:00Z', 9, 0, 0, 0, 1, 1.25, 1)";
    fill(&pool, cancelled).await;
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
async fn windows_before_1970_come_in_pages_too(pool: PgPool) {
    let windows = "INSERT INTO hourly_product_sales_view
            (hour_timestamp, product_id, total_quantity, total_revenue, total_orders)
        SELECT timestamptz '1969-12-31T22:00:00Z' + hour * interval '1 hour', product, 1, 1, 1
        FROM generate_series(0, 3) AS hour, generate_series(1, 2) AS product";
    fill(&pool, windows).await;
    let between = "/api/analytics/hourly-sales?start=1969-12-31&end=1970-01-02&limit=3";
    let pages = all_pages(&pool, between, "productId").await;
    assert_eq!(pages, [vec![1, 2, 1], vec![2, 1, 2], vec![1, 2]]);
    let pages = all_pages(&pool, &format!("{between}&productId=2"), "productId").await;
    assert_eq!(pages, [vec![2, 2, 2], vec![2]]);
}

#[sqlx::test(migrator = "MIGRATIONS")]
async fn the_last_24_hours_are_shown_unless_told(pool: PgPool) {
    let windows = "INSERT INTO hourly_product_sales_view
            (hour_timestamp, product_id, total_quantity, total_revenue, total_orders)
        SELECT date_trunc('hour', now(), 'UTC') - ago * interval '1 hour', ago + 1, 1, 1, 1
        FROM generate_series(0, 30) AS ago";
    fill(&pool, windows).await;
    // The current hour and the 23 before it; of full hours, 24 have begun within a day.
    let pages = all_pages(&pool, "/api/analytics/hourly-sales", "productId").await;
    assert_eq!(pages, [(1..=24).rev().collect::<Vec<_>>()]);
}

#[sqlx::test(migrator = "MIGRATIONS")]
async fn lists_come_by_id_in_both_directions(pool: PgPool) {
    let products = "INSERT INTO products_read (product_id, name, category, price, updated_at)
        SELECT id, 'Tea', 'Food', 1.5, now() FROM generate_series(1, 5) AS id;
        -- Only orders have told of this one.
        INSERT INTO product_sales_view (product_id, stock_taken) VALUES (6, 2)";
    fill(&pool, products).await;
    let pages = all_pages(&pool, "/api/products?limit=2", "id").await;
    assert_eq!(pages, [vec![1, 2], vec![3, 4], vec![5]]);
    let pages = all_pages(&pool, "/api/products?limit=3&order=desc", "id").await;
    assert_eq!(pages, [vec![5, 4, 3], vec![2, 1]]);
    assert_eq!(get(&pool, "/api/products/6").await.0, 404);
    assert_eq!(get(&pool, "/api/analytics/products/6/sales").await.0, 200);
}

#[sqlx::test(migrator = "MIGRATIONS")]
async fn lists_hold_the_highest_id_that_there_can_be(pool: PgPool) {
    let rows = "INSERT INTO products_read (product_id, name, category, price, updated_at)
        SELECT id, 'Tea', 'Food', 1, now() FROM unnest('{1, 9223372036854775807}'::bigint[]) AS id;
        INSERT INTO users_read (user_id, name, email, created_at, updated_at)
        SELECT id, 'Ada', id || '@example.com', '2026-01-01Z', now()
        FROM unnest('{1, 9223372036854775807}'::bigint[]) AS id;
        INSERT INTO orders_read (order_id, customer_id, total, status, items, state_version,
                                 state_event, created_at, updated_at)
        SELECT id, 1, 1, 'CREATED', '[]', 1, gen_random_uuid(), '2026-01-01Z', now()
        FROM unnest('{1, 9223372036854775807}'::bigint[]) AS id";
    fill(&pool, rows).await;
    for list in ["products?", "users?", "orders?", "orders?createdFrom=2026-01-01"] {
        let path = format!("/api/{list}&limit=1");
        assert_eq!(all_pages(&pool, &path, "id").await, [[1], [i64::MAX]], "{path}");
        let path = format!("{path}&order=desc");
        assert_eq!(all_pages(&pool, &path, "id").await, [[i64::MAX], [1]], "{path}");
        let beyond = format!("/api/{list}&cursor={}", i64::MAX);
        assert_eq!(all_pages(&pool, &beyond, "id").await, [[0; 0]], "{beyond}");
    }
}

#[sqlx::test(migrator = "MIGRATIONS")]
async fn lag_is_told_by_the_oldest_count_that_is_not_reached(pool: PgPool) {
    let progress = "UPDATE watermarks SET taken_at = now();
        UPDATE topic_progress SET seen = 5 WHERE topic = 'order-events'";
    fill(&pool, progress).await;
    let (_, body, _) = get(&pool, "/api/analytics/sync-status").await;
    assert_eq!((&body["lagSeconds"], &body["isCaughtUp"]), (&json!(0), &json!(true)));
    assert_eq!(body["lastProcessedEventTimestamp"], Value::Null);

    let watermarks = "INSERT INTO watermarks (topic, taken_at, committed)
        VALUES ('order-events', now() - interval '20 seconds', 5),
               ('order-events', now() - interval '10 seconds', 7),
               ('order-events', now(), 8)";
    fill(&pool, watermarks).await;
    let (_, body, _) = get(&pool, "/sync-status").await;
    assert_eq!((&body["pendingEvents"], &body["isCaughtUp"]), (&json!(3), &json!(false)));
    let lag = body["lagMilliseconds"].as_i64().unwrap();
    assert!((10_000..20_000).contains(&lag), "{body}");
}

#[sqlx::test(migrator = "MIGRATIONS")]
async fn what_is_not_known_is_not_told_as_nothing(pool: PgPool) {
    let status = async || get(&pool, "/api/analytics/sync-status").await.1;
    // A watermark of one topic is late.
    let late_watermark = "UPDATE watermarks SET taken_at = now();
        UPDATE watermarks SET taken_at = now() - interval '4 seconds'
        WHERE topic = 'user-events'";
    fill(&pool, late_watermark).await;
    let body = status().await;
    assert_eq!((&body["pendingEvents"], &body["isCaughtUp"]), (&Value::Null, &json!(false)));
    assert!(body["lagSeconds"].as_i64().unwrap() >= 4, "{body}");

    // A dead letter of ours; one of an external publisher does not count.
    fill(&pool, "UPDATE watermarks SET taken_at = now()").await;
    let letter = "INSERT INTO dead_letters (body_sha256, queue, reason, body, counted, ours)
                  VALUES (sha256('a'), 'order-events', 'bad', '', false, false)";
    fill(&pool, letter).await;
    let body = status().await;
    assert_eq!((&body["deadLetters"], &body["isCaughtUp"]), (&json!(1), &json!(true)));
    fill(&pool, &letter.replace("'a'", "'b'").replace("false, false", "true, true")).await;
    let body = status().await;
    assert_eq!((&body["deadLetters"], &body["isCaughtUp"]), (&json!(2), &json!(false)));
    assert_eq!((&body["lagSeconds"], &body["pendingEvents"]), (&json!(0), &json!(0)));

    fill(&pool, "TRUNCATE sync_status, topic_progress, watermarks, dead_letters").await;
    let body = status().await;
    assert_eq!((&body["pendingEvents"], &body["isCaughtUp"]), (&Value::Null, &json!(false)));
    assert_eq!((&body["eventsApplied"], &body["deadLetters"]), (&json!(0), &json!(0)));
}

#[sqlx::test(migrator = "MIGRATIONS")]
async fn orders_are_found_by_status_customer_and_time_in_any_combination(pool: PgPool) {
    // Six a day from the second half of December on; the ids of two days are
    // swapped, as with orders of two command services.
    let orders =
        "INSERT INTO orders_read (order_id, customer_id, total, status, items, state_version,
                                 state_event, created_at, updated_at)
        SELECT CASE WHEN n IN (5, 6) THEN 11 - n ELSE n END, 1 + n % 3, 1,
               CASE WHEN n % 4 = 0 THEN 'PAID' ELSE 'CREATED' END, '[]', 1,
               gen_random_uuid(), timestamptz '2025-12-31T00:00:00Z' + n * interval '4 hours',
               now()
        FROM generate_series(1, 20) AS n";
    fill(&pool, orders).await;
    let january = "createdFrom=2026-01-01&createdTo=2026-01-02T00:00:00Z";
    for (filter, expected) in [
        ("status=PAID", vec![4, 8, 12, 16, 20]),
        ("customerId=2", vec![1, 4, 7, 10, 13, 16, 19]),
        ("customerId=2&status=PAID", vec![4, 16]),
        (january, vec![5, 7, 8, 9, 10, 11]),
        (&format!("{january}&order=desc"), vec![11, 10, 9, 8, 7, 5]),
        (&format!("{january}&status=PAID"), vec![8]),
        (&format!("{january}&customerId=2"), vec![7, 10]),
        ("createdFrom=2026-01-03T00:00:00Z", vec![18, 19, 20]),
        ("createdTo=2025-12-31T08:00:00Z", vec![1]),
        ("createdFrom=2027-01-01", vec![]),
    ] {
        for limit in [1, 2, 500] {
            let path = format!("/api/orders?{filter}&limit={limit}");
            let pages = all_pages(&pool, &path, "id").await;
            assert_eq!(pages.concat(), expected, "{path}");
        }
    }
}

#[sqlx::test(migrator = "MIGRATIONS")]
async fn filters_by_text_do_not_mind_case_and_take_any_text(pool: PgPool) {
    let products_and_users =
        "INSERT INTO products_read (product_id, name, category, price, updated_at)
        VALUES (1, 'Tea', 'Drinks', 1, now()), (2, 'Cake', 'Food', 1, now()),
               (3, 'Mate', 'DRINKS', 1, now());
        INSERT INTO users_read (user_id, name, email, created_at, updated_at)
        VALUES (1, 'Ada', 'Ada@example.com', '2026-01-01Z', now()),
               (2, 'Eva', 'eva@example.com', '2026-01-02Z', now()),
               (4, 'Ada', 'ada+x@example.com', '2025-01-02Z', now());
        -- Only an account has told of this one.
        INSERT INTO users_read (user_id, account_id, created_at, updated_at)
        VALUES (3, 1, now(), now())";
    fill(&pool, products_and_users).await;
    for (path, expected) in [
        ("/api/products?category=drinks", vec![1, 3]),
        ("/api/products?category=drinks&order=desc", vec![3, 1]),
        ("/api/products?category=drink%25", vec![]),
        ("/api/users?email=ADA%40example.com", vec![1]),
        ("/api/users?email=ada%2Bx@example.com", vec![4]),
        ("/api/users?email=ada+x@example.com", vec![4]),
        ("/api/users?email=ada%20x@example.com", vec![4]),
        ("/api/users?createdFrom=2026-01-02", vec![2]),
        ("/api/users?createdFrom=2026-01-01&createdTo=2026-01-02", vec![1]),
        ("/api/users?limit=1", vec![1, 2, 4]),
    ] {
        assert_eq!(all_pages(&pool, path, "id").await.concat(), expected, "{path}");
    }
    assert_eq!(get(&pool, "/api/users/3").await.0, 404);
}

#[sqlx::test(migrator = "MIGRATIONS")]
async fn an_order_has_its_refunds_and_is_hidden_until_its_lines_arrive(pool: PgPool) {
    let rows = r#"
        INSERT INTO orders_read (order_id, customer_id, total, status, items, refunded_total,
                                 reason, state_version, state_event, created_at, updated_at)
        SELECT id, 7, total, 'PAID', items::jsonb, refunded, reason, 2, gen_random_uuid(),
               '2026-01-01Z', '2026-01-02Z'
        FROM (VALUES (1, 24, '[]', 5.5, 'late'), (2, 3, '[]', 0, NULL),
                     (3, NULL, NULL, 1, NULL)) AS placed (id, total, items, refunded, reason);
        INSERT INTO refunds_read (refund_id, order_id, amount, refunded_total, items, status,
                                  reason, created_at, event_id)
        SELECT id, order_id, amount, refunded, '[]', 'PAID', reason, '2026-01-02Z',
               gen_random_uuid()
        FROM (VALUES (9, 1, 2.5, 5.5, 'late'), (4, 1, 3, 3, NULL), (5, 3, 1, 1, NULL))
            AS refund (id, order_id, amount, refunded, reason)"#;
    fill(&pool, rows).await;
    let (_, order, _) = get(&pool, "/api/orders/1").await;
    assert_eq!((&order["refundedTotal"], &order["reason"]), (&json!(5.5), &json!("late")));
    let refund = |id: i64, amount: Value, total: Value| {
        json!({"refundId": id, "id": id, "orderId": 1, "items": [], "amount": amount,
               "refundedTotal": total, "status": "PAID", "createdAt": "2026-01-02T00:00:00Z"})
    };
    let mut refunds = [refund(4, json!(3), json!(3)), refund(9, json!(2.5), json!(5.5))];
    refunds[1]["reason"] = json!("late");
    assert_eq!(order["refunds"], json!(refunds));
    assert_eq!(get(&pool, "/api/orders/1/refunds").await.1, json!(refunds));
    assert_eq!(get(&pool, "/api/orders/2/refunds").await.1, json!([]));
    let (status, body, _) = get(&pool, "/api/orders/3/refunds").await;
    assert_eq!((status, &body["error"]), (404, &json!("Order not found")));
    assert_eq!(get(&pool, "/api/orders/3").await.0, 404);
    for list in ["/api/orders?limit=9", "/api/orders?createdFrom=2026-01-01"] {
        assert_eq!(all_pages(&pool, list, "id").await, [[1, 2]], "{list}");
    }
}

#[sqlx::test(migrator = "MIGRATIONS")]
async fn an_invoice_is_what_stands_of_a_month_and_whom_it_is_for_now(pool: PgPool) {
    let orders = r#"INSERT INTO orders_read (order_id, customer_id, total, status, items, state_version,
                                   state_event, created_at, updated_at)
          SELECT id, customer, total, status,
                 '[{"productId":1,"productName":"Tea","category":"Food","quantity":2,"price":1.5}]',
                 1, gen_random_uuid(), created_at::timestamptz, now()
          FROM (VALUES
              (1, 7, 3.0001, 'DELIVERED', '2025-03-31T23:59:59.999999Z'),
              (2, 7, 3.25, 'CREATED', '2025-04-01T00:00:00Z'),
              (3, 7, 4, 'CANCELLED', '2025-04-02T00:00:00Z'),
              (4, 7, 5, 'REFUNDED', '2025-04-02T00:00:00Z'),
              (5, 7, 6.5, 'PAID', '2025-04-30T23:59:59.999999Z'),
              (6, 7, 7, 'PAID', '2025-05-01T00:00:00Z'),
              (7, 8, 8, 'PAID', '2025-04-01T00:00:00Z')
          ) AS placed (id, customer, total, status, created_at)"#;
    fill(&pool, orders).await;
    fill(&pool, "UPDATE orders_read SET refunded_total = 1.25 WHERE order_id = 5").await;
    let april = "/api/invoices?userId=7&month=4&year=2025";
    let line = |id: i64, [amount, refunded, net]: [Value; 3], date: &str| {
        json!({
            "orderId": id, "description": "2 × Tea", "amount": amount, "refundedAmount": refunded,
            "netAmount": net, "purchaseDate": date,
        })
    };
    let mut expected = json!({
        "invoiceId": "INV-2025-04-7", "userId": 7, "email": null, "shippingAddress": null,
        "invoiceDate": "2025-04-30T00:00:00Z",
        "orders": [
            line(2, [json!(3.25), json!(0), json!(3.25)], "2025-04-01T00:00:00Z"),
            line(5, [json!(6.5), json!(1.25), json!(5.25)], "2025-04-30T23:59:59.999999Z"),
        ],
        "refundedTotal": 1.25,
        "total": 8.5,
    });
    assert_eq!(get(&pool, april).await.1, expected);
    let user =
        "INSERT INTO users_read (user_id, name, email, account_id, address1, city, state, zip,
                                created_at, updated_at)
        VALUES (7, 'Ada', 'ada@example.com', 1, '1 Main St', 'Ely', 'MN', '55731', now(), now())";
    fill(&pool, user).await;
    expected["email"] = json!("ada@example.com");
    expected["shippingAddress"] = json!("1 Main St, Ely, MN 55731");
    assert_eq!(get(&pool, &april.replace("userId", "user_id")).await.1, expected);
    let (status, body, _) = get(&pool, "/api/invoices?userId=7&month=6&year=2025").await;
    assert_eq!((status, &body["error"]), (404, &json!("Invoice not found")));
}

#[sqlx::test(migrator = "MIGRATIONS")]
async fn an_event_that_was_applied_is_shown_and_one_that_was_not_is_not(pool: PgPool) {
    let events = "INSERT INTO processed_events (event_id, counted)
        VALUES ('0190a000-0000-7000-8000-000000000001', TRUE);
        INSERT INTO dead_letters (event_id, body_sha256, queue, reason, body, counted, ours)
        VALUES ('0190a000-0000-7000-8000-000000000002', '', 'order-events', '', '', TRUE, TRUE);
        UPDATE dedupe_memory
        SET since = now(), lowest_event_id = '0180a000-0000-7000-8000-000000000000'";
    fill(&pool, events).await;
    let strict = async |id: &str| {
        let path = format!("/api/products?after={id}&wait=10&strict=true");
        let (status, body, _) = get(&pool, &path).await;
        (status, body["detail"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(strict("0190a000-0000-7000-8000-000000000001").await.0, 200);
    let (status, why) = strict("0190a000-0000-7000-8000-000000000002").await;
    assert!(status == 504 && why.contains("dead letter"), "{why}");
    let (status, why) = strict("0190a000-0000-7000-8000-000000000003").await;
    assert!(status == 504 && why.contains("after 10 ms"), "{why}");
    // Older than the deduplication records.
    assert_eq!(strict("0170a000-0000-7000-8000-000000000000").await.0, 200);
}
