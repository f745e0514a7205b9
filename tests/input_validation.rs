//! Bad input gets a clear refusal, never 500, and changes nothing.

use crate::harness::{Response, Shop, client};
use reqwest::Method;

const PRODUCT: &str = "Invalid product data";
const ORDER: &str = "Invalid order data";
const STATUS: &str = "Invalid status";
const USER: &str = "Invalid user data";
const ACCOUNT: &str = "Invalid account data";

#[tokio::test]
async fn commands_are_refused_with_the_fixed_texts_and_change_nothing() {
    let shop = Shop::start().await;
    let product = shop.product("Tea", "5", 11).await;
    assert_eq!(shop.order(1, product, 1).await.integer("orderId"), 1);
    let ada = r#"{"name":"Ada","email":"ada@example.com"}"#;
    let user = shop.post("/api/users", ada).await.integer("id");
    let before = shop.databases.query_write(EVERYTHING).await;
    let user_path = format!("/api/users/{user}");
    let account = format!(
        r#"{{"userId":{user},"address1":"1 Main St","city":"Ely","state":"MN","zip":"55731"}}"#
    );
    let stateless = account.replace("MN", " ");
    let numeric_zip = account.replace("\"55731\"", "55731");
    let nobodys = account.replace(&format!(":{user},"), ":99,");
    let huge = format!(r#"{{"name":"{}"}}"#, "x".repeat(1 << 20));
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let cases: &[(&str, &str, &str, u16, &str)] = &[
        ("POST", "/api/products", r#"{"name":"","category":"c","price":1}"#, 400, PRODUCT),
        ("POST", "/api/products", r#"{"name":"a\u0000","category":"c","price":1}"#, 400, PRODUCT),
        ("POST", "/api/products", r#"{"name":"a\n","category":"c","price":1}"#, 400, PRODUCT),
        ("POST", "/api/products", r#"{"name":"a\ud800","category":"c","price":1}"#, 400, PRODUCT),
        ("POST", "/api/products", r#"{"name":"a","category":"c","price":1.23456}"#, 400, PRODUCT),
        ("POST", "/api/products", r#"{"name":"a","category":"c","price":1e400}"#, 400, PRODUCT),
        ("POST", "/api/products", r#"{"name":"a","category":"c","price":-1}"#, 400, PRODUCT),
        ("POST", "/api/products", r#"{"name":"a","category":"c","price":"1"}"#, 400, PRODUCT),
        (
            "POST",
            "/api/products",
            r#"{"name":"a","category":"c","price":1,"stock":-1}"#,
            400,
            PRODUCT,
        ),
        ("POST", "/api/products", "", 400, PRODUCT),
        ("POST", "/api/products", "[]", 400, PRODUCT),
        ("POST", "/api/products", "null", 400, PRODUCT),
        ("POST", "/api/products", "{", 400, PRODUCT),
        ("POST", "/api/products", &deep, 400, PRODUCT),
        ("POST", "/api/products", &huge, 413, "Body too large"),
        ("PUT", "/api/products/1", "{}", 400, PRODUCT),
        ("PUT", "/api/products/1", r#"{"price":null}"#, 400, PRODUCT),
        ("PUT", "/api/products/0", r#"{"price":1}"#, 400, PRODUCT),
        ("PUT", "/api/products/-1", r#"{"price":1}"#, 400, PRODUCT),
        ("PUT", "/api/products/1.5", r#"{"price":1}"#, 400, PRODUCT),
        ("PUT", "/api/products/x", r#"{"price":1}"#, 400, PRODUCT),
        ("PUT", "/api/products/99999999999999999999", r#"{"price":1}"#, 400, PRODUCT),
        ("PUT", "/api/products/99", r#"{"price":1}"#, 404, "Product not found"),
        ("PUT", "/api/products/99/price", r#"{"price":1}"#, 404, "Product not found"),
        ("PUT", "/api/products/1/price", "{}", 400, PRODUCT),
        ("PUT", "/api/products/1/price", r#"{"price":1.00001}"#, 400, PRODUCT),
        ("POST", "/api/orders", "{}", 400, ORDER),
        ("POST", "/api/orders", r#"{"customerId":1,"items":[]}"#, 400, ORDER),
        (
            "POST",
            "/api/orders",
            r#"{"customerId":1,"items":[{"productId":1,"quantity":0}]}"#,
            400,
            ORDER,
        ),
        (
            "POST",
            "/api/orders",
            r#"{"customerId":1,"items":[{"productId":1,"quantity":1.5}]}"#,
            400,
            ORDER,
        ),
        (
            "POST",
            "/api/orders",
            r#"{"customerId":1,"items":[{"productId":1,"quantity":99999999999}]}"#,
            400,
            ORDER,
        ),
        (
            "POST",
            "/api/orders",
            r#"{"customerId":"1","items":[{"productId":1,"quantity":1}]}"#,
            400,
            ORDER,
        ),
        (
            "POST",
            "/api/orders",
            r#"{"customerId":1,"items":[{"productId":1,"quantity":1,"price":-1}]}"#,
            400,
            ORDER,
        ),
        (
            "POST",
            "/api/orders",
            r#"{"customerId":1,"items":[{"productId":2,"quantity":1}]}"#,
            400,
            "Product not found",
        ),
        (
            "POST",
            "/api/orders",
            r#"{"customerId":1,"items":[{"productId":9223372036854775807,"quantity":1}]}"#,
            400,
            "Product not found",
        ),
        (
            "POST",
            "/api/orders",
            r#"{"customerId":1,"items":[{"productId":1,"quantity":11}]}"#,
            400,
            "Insufficient stock",
        ),
        (
            "POST",
            "/api/orders",
            r#"{"customerId":1,"items":[{"productId":1,"quantity":6},{"productId":1,"quantity":5}]}"#,
            400,
            "Insufficient stock",
        ),
        ("PUT", "/api/orders/1/status", "{}", 400, STATUS),
        ("PUT", "/api/orders/1/status", "{", 400, STATUS),
        ("PUT", "/api/orders/1/status", &deep, 400, STATUS),
        ("PUT", "/api/orders/1/status", r#"{"status":null}"#, 400, STATUS),
        ("PUT", "/api/orders/1/status", r#"{"status":"paid"}"#, 400, STATUS),
        ("PUT", "/api/orders/1/status", r#"{"status":"PAID\u0000"}"#, 400, STATUS),
        ("PUT", "/api/orders/99/status", r#"{"status":"PAID"}"#, 404, "Order not found"),
        ("PUT", "/api/orders/0/status", r#"{"status":"PAID"}"#, 400, "Invalid order id"),
        (
            "PUT",
            "/api/orders/1/status",
            r#"{"status":"DELIVERED"}"#,
            409,
            "Invalid status transition",
        ),
        ("POST", "/api/users", "{}", 400, USER),
        ("POST", "/api/users", &deep, 400, USER),
        ("POST", "/api/users", &huge, 413, "Body too large"),
        ("POST", "/api/users", r#"{"name":"Eva","email":"eva"}"#, 400, USER),
        ("POST", "/api/users", r#"{"name":"E\u0000","email":"eva@example.com"}"#, 400, USER),
        ("POST", "/api/users", r#"{"name":"Eva","email":"\u0000@example.com"}"#, 400, USER),
        (
            "POST",
            "/api/users",
            r#"{"name":"Ada","email":"ADA@example.com"}"#,
            409,
            "Email already taken",
        ),
        ("PATCH", &user_path, "{}", 400, USER),
        ("PATCH", &user_path, r#"{"name":null}"#, 400, USER),
        ("PATCH", &user_path, r#"{"email":""}"#, 400, USER),
        ("PATCH", "/api/users/x", r#"{"name":"Eva"}"#, 400, USER),
        ("PATCH", "/api/users/99", r#"{"name":"Eva"}"#, 404, "User not found"),
        ("POST", "/api/accounts", "{}", 400, ACCOUNT),
        ("POST", "/api/accounts", &stateless, 400, ACCOUNT),
        ("POST", "/api/accounts", &numeric_zip, 400, ACCOUNT),
        ("POST", "/api/accounts", &nobodys, 404, "User not found"),
        ("GET", "/api/products", "", 405, "Method not allowed"),
        ("POST", "/api/nothing", "{}", 404, "Not found"),
    ];
    for (method, path, body, status, error) in cases {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let response = shop.command(method, path, body).await;
        let shown: String = body.chars().take(80).collect();
        assert_eq!((response.status, response.error()), (*status, *error), "{path} {shown}");
        assert_eq!(response.headers["content-type"], "application/problem+json");
        assert_eq!(response.integer("status"), i64::from(*status));
    }
    assert_eq!(shop.databases.query_write(EVERYTHING).await, before, "something was changed");
    shop.stop().await;
}

const EVERYTHING: &str = "SELECT (SELECT count(*) FROM products) + (SELECT count(*) FROM orders)
    + (SELECT count(*) FROM order_items) + (SELECT count(*) FROM customers)
    + (SELECT count(*) FROM outbox) + (SELECT sum(version + stock) FROM products)::bigint
    + (SELECT sum(version) FROM orders)::bigint + (SELECT sum(version) FROM users)::bigint
    + (SELECT count(*) FROM accounts)";

#[tokio::test]
async fn every_fault_of_a_body_is_named() {
    let shop = Shop::start().await;
    let body = r#"{"customerId":0,"items":[{"productId":1,"quantity":1},{"quantity":"2"}, 7]}"#;
    let response = shop.post("/api/orders", body).await;
    let errors = response.body["errors"].as_array().unwrap();
    let fields: Vec<&str> = errors.iter().map(|e| e["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["customerId", "items[1].productId", "items[1].quantity", "items[2]"]);

    let url = format!("http://{}/api/orders", shop.command.address("api").await);
    let untyped = Response::to(client().post(&url).body("{}")).await.unwrap();
    assert_eq!((untyped.status, untyped.error()), (415, "Unsupported media type"));
    shop.stop().await;
}

#[tokio::test]
async fn queries_are_refused_with_the_fixed_texts() {
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
        ("/api/analytics/hourly-sales?start=", 400, "Invalid query parameters"),
        ("/api/analytics/hourly-sales?start=now&end=2026-01-01", 400, "Invalid query parameters"),
        (
            "/api/analytics/hourly-sales?start=2026-01-02&end=2026-01-01",
            400,
            "Invalid query parameters",
        ),
        (
            "/api/analytics/hourly-sales?start=2026-01-01&end=2026-02-02",
            400,
            "Invalid query parameters",
        ),
        (
            "/api/analytics/hourly-sales?start=2026-01-01&end=2026-01-02&productId=x",
            400,
            "Invalid query parameters",
        ),
        (
            "/api/analytics/hourly-sales?start=2026-01-01&end=2026-01-02&cursor=-8000000000000.1",
            400,
            "Invalid query parameters",
        ),
        ("/api/products?limit=0", 400, "Invalid query parameters"),
        ("/api/products?limit=501", 400, "Invalid query parameters"),
        ("/api/orders?cursor=x", 400, "Invalid query parameters"),
        ("/api/orders?order=up", 400, "Invalid query parameters"),
        ("/api/products/99", 404, "Product not found"),
        ("/api/orders/99", 404, "Order not found"),
        ("/api/orders/x", 400, "Invalid order id"),
        ("/api/orders?status=paid", 400, "Invalid query parameters"),
        ("/api/orders?customerId=0", 400, "Invalid query parameters"),
        ("/api/orders?createdFrom=soon", 400, "Invalid query parameters"),
        (
            "/api/orders?createdFrom=2026-02-01&createdTo=2026-01-01",
            400,
            "Invalid query parameters",
        ),
        ("/api/users?createdFrom=2026-02-01&createdTo=2026-01-01", 400, "Invalid query parameters"),
        ("/api/products?category=%00", 400, "Invalid query parameters"),
        ("/api/users?email=%00", 400, "Invalid query parameters"),
        ("/api/users/99", 404, "User not found"),
        ("/api/users/x", 400, "Invalid user id"),
        ("/api/invoices", 400, "Invalid query parameters"),
        ("/api/invoices?userId=1&month=13&year=2026", 400, "Invalid query parameters"),
        ("/api/invoices?userId=1&month=0&year=2026", 400, "Invalid query parameters"),
        ("/api/invoices?userId=0&month=1&year=2026", 400, "Invalid query parameters"),
        ("/api/invoices?userId=1&month=1&year=99999", 400, "Invalid query parameters"),
        ("/api/invoices?userId=1&month=1&year=2026", 404, "Invoice not found"),
    ];
    for (path, status, error) in cases {
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
