//! Invalid input is refused with a clear text, never 500, and changes nothing.

use crate::harness::{Response, Shop, account, client};
use reqwest::Method;

const PRODUCT: &str = "Invalid product data";
const ORDER: &str = "Invalid order data";
const STATUS: &str = "Invalid status";
const USER: &str = "Invalid user data";
const ACCOUNT: &str = "Invalid account data";

const INVALID_PRODUCT_PATHS: [&str; 5] = [
    "PUT /api/products/0",
    "PUT /api/products/-1",
    "PUT /api/products/1.5",
    "PUT /api/products/x",
    "PUT /api/products/99999999999999999999",
];

#[tokio::test]
async fn invalid_commands_are_refused_with_fixed_texts_and_change_nothing() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 11).await;
    assert_eq!(shop.order(1, product, 1).await.integer("orderId"), 1);
    let user = shop.user("Ada", "ada@example.com").await.integer("id");
    let before = shop.databases.query_write(CHECKSUM).await;
    let change_user = format!("PATCH /api/users/{user}");
    let account = account(user, "1 Main St");
    let without_state = account.replace("MN", " ");
    let numeric_zip = account.replace("\"55731\"", "55731");
    let unknown_user = account.replace(&format!(":{user},"), ":99,");
    let huge = format!(r#"{{"name":"{}"}}"#, "x".repeat(1 << 20));
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let one_item = |item: &str| format!(r#"{{"customerId":1,"items":[{item}]}}"#);
    let orders = |items: &[&str]| -> Vec<String> { items.iter().copied().map(one_item).collect() };
    let invalid_items = orders(&[
        "",
        r#"{"productId":1,"quantity":0}"#,
        r#"{"productId":1,"quantity":1.5}"#,
        r#"{"productId":1,"quantity":99999999999}"#,
        r#"{"productId":1,"quantity":1,"price":-1}"#,
    ]);
    let unknown_products = orders(&[
        r#"{"productId":2,"quantity":1}"#,
        r#"{"productId":9223372036854775807,"quantity":1}"#,
    ]);
    let too_many_units = orders(&[
        r#"{"productId":1,"quantity":11}"#,
        r#"{"productId":1,"quantity":6},{"productId":1,"quantity":5}"#,
    ]);
    let mut cases: Vec<(&str, u16, &str, Vec<&str>)> = vec![
        (
            "POST /api/products",
            400,
            PRODUCT,
            vec![
                r#"{"name":"","category":"c","price":1}"#,
                r#"{"name":"a\u0000","category":"c","price":1}"#,
                r#"{"name":"a\n","category":"c","price":1}"#,
                r#"{"name":"a\ud800","category":"c","price":1}"#,
                r#"{"name":"a","category":"c","price":1.23456}"#,
                r#"{"name":"a","category":"c","price":1e400}"#,
                r#"{"name":"a","category":"c","price":-1}"#,
                r#"{"name":"a","category":"c","price":"1"}"#,
                r#"{"name":"a","category":"c","price":1,"stock":-1}"#,
                "",
                "[]",
                "null",
                "{",
                &deep,
            ],
        ),
        ("POST /api/products", 413, "Body too large", vec![&huge]),
        ("PUT /api/products/1", 400, PRODUCT, vec!["{}", r#"{"price":null}"#]),
        ("PUT /api/products/1/price", 400, PRODUCT, vec!["{}", r#"{"price":1.00001}"#]),
        ("PUT /api/products/99", 404, "Product not found", vec![r#"{"price":1}"#]),
        ("PUT /api/products/99/price", 404, "Product not found", vec![r#"{"price":1}"#]),
        (
            "POST /api/orders",
            400,
            ORDER,
            vec!["{}", r#"{"customerId":"1","items":[{"productId":1,"quantity":1}]}"#],
        ),
        ("POST /api/orders", 400, ORDER, invalid_items.iter().map(String::as_str).collect()),
        (
            "POST /api/orders",
            400,
            "Product not found",
            unknown_products.iter().map(String::as_str).collect(),
        ),
        (
            "POST /api/orders",
            400,
            "Insufficient stock",
            too_many_units.iter().map(String::as_str).collect(),
        ),
        (
            "PUT /api/orders/1/status",
            400,
            STATUS,
            vec![
                "{}",
                "{",
                &deep,
                r#"{"status":null}"#,
                r#"{"status":"paid"}"#,
                r#"{"status":"PAID\u0000"}"#,
            ],
        ),
        ("PUT /api/orders/99/status", 404, "Order not found", vec![r#"{"status":"PAID"}"#]),
        ("PUT /api/orders/0/status", 400, "Invalid order id", vec![r#"{"status":"PAID"}"#]),
        (
            "PUT /api/orders/1/status",
            409,
            "Invalid status transition",
            vec![r#"{"status":"DELIVERED"}"#],
        ),
        (
            "POST /api/users",
            400,
            USER,
            vec![
                "{}",
                &deep,
                r#"{"name":"Eva","email":"eva"}"#,
                r#"{"name":"E\u0000","email":"eva@example.com"}"#,
                r#"{"name":"Eva","email":"\u0000@example.com"}"#,
            ],
        ),
        ("POST /api/users", 413, "Body too large", vec![&huge]),
        (
            "POST /api/users",
            409,
            "Email already taken",
            vec![r#"{"name":"Ada","email":"ADA@example.com"}"#],
        ),
        (&change_user, 400, USER, vec!["{}", r#"{"name":null}"#, r#"{"email":""}"#]),
        ("PATCH /api/users/x", 400, USER, vec![r#"{"name":"Eva"}"#]),
        ("PATCH /api/users/99", 404, "User not found", vec![r#"{"name":"Eva"}"#]),
        ("POST /api/accounts", 400, ACCOUNT, vec!["{}", &without_state, &numeric_zip]),
        ("POST /api/accounts", 404, "User not found", vec![&unknown_user]),
        ("GET /api/products", 405, "Method not allowed", vec![""]),
        ("POST /api/nothing", 404, "Not found", vec!["{}"]),
    ];
    for path in INVALID_PRODUCT_PATHS {
        cases.push((path, 400, PRODUCT, vec![r#"{"price":1}"#]));
    }
    for (command, status, error, bodies) in cases {
        let (method, path) = command.split_once(' ').unwrap();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        for body in bodies {
            let response = shop.command(method.clone(), path, body).await;
            let shown: String = body.chars().take(80).collect();
            assert_eq!((response.status, response.error()), (status, error), "{path} {shown}");
            assert_eq!(response.headers["content-type"], "application/problem+json");
            assert_eq!(response.integer("status"), i64::from(status));
        }
    }
    assert_eq!(
        shop.databases.query_write(CHECKSUM).await,
        before,
        "a refused command has an effect"
    );
    shop.stop().await;
}

/// A number that every change of the write database changes.
const CHECKSUM: &str = "SELECT (SELECT count(*) FROM products) + (SELECT count(*) FROM orders)
    + (SELECT count(*) FROM order_items) + (SELECT count(*) FROM customers)
    + (SELECT count(*) FROM outbox) + (SELECT sum(version + stock) FROM products)::bigint
    + (SELECT sum(version) FROM orders)::bigint + (SELECT sum(version) FROM users)::bigint
    + (SELECT count(*) FROM accounts)";

#[tokio::test]
async fn every_invalid_field_of_a_body_is_named() {
    let shop = Shop::start().await;
    let body = r#"{"customerId":0,"items":[{"productId":1,"quantity":1},{"quantity":"2"}, 7]}"#;
    let response = shop.post("/api/orders", body).await;
    let errors = response.body["errors"].as_array().unwrap();
    let fields: Vec<&str> = errors.iter().map(|e| e["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["customerId", "items[1].productId", "items[1].quantity", "items[2]"]);

    let url = shop.command.url("api", "/api/orders").await;
    let untyped = Response::to(client().post(&url).body("{}")).await.unwrap();
    untyped.assert_refused(415, "Unsupported media type");
    shop.stop().await;
}

#[tokio::test]
async fn invalid_queries_are_refused_with_fixed_texts() {
    let shop = Shop::start().await;
    shop.product("Tea", "5", 10).await;
    shop.caught_up().await;
    let cases = [
        ("/api/analytics/products/x/sales", 400, "Invalid product id"),
        ("/api/analytics/products/0/sales", 400, "Invalid product id"),
        ("/api/analytics/products/99999999999999999999/sales", 400, "Invalid product id"),
        ("/api/analytics/products/99/sales", 404, "Product not found"),
        ("/api/analytics/categories/Coffee/revenue", 404, "Category not found"),
        ("/api/analytics/categories/%00/revenue", 404, "Category not found"),
        ("/api/analytics/categories/%ff/revenue", 400, "Invalid path"),
        ("/api/analytics/customers/1.5/lifetime-value", 400, "Invalid customer id"),
        ("/api/analytics/customers/99/lifetime-value", 404, "Customer not found"),
        ("/api/products/99", 404, "Product not found"),
        ("/api/orders/99", 404, "Order not found"),
        ("/api/orders/x", 400, "Invalid order id"),
        ("/api/users/99", 404, "User not found"),
        ("/api/users/x", 400, "Invalid user id"),
        ("/api/invoices?userId=1&month=1&year=2026", 404, "Invoice not found"),
    ];
    let invalid_parameters = [
        "/api/analytics/hourly-sales?start=",
        "/api/analytics/hourly-sales?start=now&end=2026-01-01",
        "/api/analytics/hourly-sales?start=2026-01-02&end=2026-01-01",
        "/api/analytics/hourly-sales?start=2026-01-01&end=2026-02-02",
        "/api/analytics/hourly-sales?start=2026-01-01&end=2026-01-02&productId=x",
        "/api/analytics/hourly-sales?start=2026-01-01&end=2026-01-02&cursor=-8000000000000.1",
        "/api/products?limit=0",
        "/api/products?limit=501",
        "/api/orders?cursor=x",
        "/api/orders?order=up",
        "/api/orders?status=paid",
        "/api/orders?customerId=0",
        "/api/orders?createdFrom=soon",
        "/api/orders?createdFrom=2026-02-01&createdTo=2026-01-01",
        "/api/users?createdFrom=2026-02-01&createdTo=2026-01-01",
        "/api/products?category=%00",
        "/api/users?email=%00",
        "/api/invoices",
        "/api/invoices?userId=1&month=13&year=2026",
        "/api/invoices?userId=1&month=0&year=2026",
        "/api/invoices?userId=0&month=1&year=2026",
        "/api/invoices?userId=1&month=1&year=99999",
    ];
    let invalid_parameters = invalid_parameters.map(|path| (path, 400, "Invalid query parameters"));
    for (path, status, error) in cases.into_iter().chain(invalid_parameters) {
        let response = shop.get(path).await;
        assert_eq!(
            (response.status, response.error()),
            (status, error),
            "{path}: {}",
            response.text
        );
    }
    for (path, zeros) in [
        (
            "/api/analytics/products/1/sales",
            r#"{"productId":1,"totalQuantitySold":0,"totalRevenue":0,"totalSales":0,"orderCount":0}"#,
        ),
        (
            "/api/analytics/categories/tea/revenue",
            r#"{"category":"Tea","totalRevenue":0,"totalOrders":0}"#,
        ),
        ("/api/analytics/hourly-sales", "[]"),
        ("/api/analytics/hourly-sales?start=2026-01-01&end=2026-01-02", "[]"),
        ("/api/orders", "[]"),
    ] {
        let response = shop.get(path).await;
        assert_eq!((response.status, response.text.as_str()), (200, zeros), "{path}");
    }
    shop.stop().await;
}
