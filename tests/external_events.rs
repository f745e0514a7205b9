//! External events need few fields, and the reason of a dead letter names the defect.

use crate::harness::{Response, Shop, client, eventually};
use lapin::BasicProperties;

const PRODUCT: &str = r#"{"eventType":"ProductCreated","timestamp":"2026-01-01 10:00:00",
    "productId":900000000001,"name":"Mate","category":"Drinks","price":"1.25","stock":10}"#;
const ORDER: &str = r#"{"eventType":"OrderCreated","timestamp":"2026-01-01T10:30:00",
    "orderId":900000000001,"customerId":9,
    "items":[{"productId":900000000001,"quantity":3,"price":0.30000000000000004}]}"#;

/// Publishes an external event with a message id and an application id.
async fn send(shop: &Shop, queue: &str, id: &str, app: &str, body: impl Into<Vec<u8>>) {
    let properties = BasicProperties::default().with_message_id(id.into()).with_app_id(app.into());
    shop.broker.publish_with(queue, &[body.into()], properties).await;
}

/// Redrives a dead letter.
async fn redrive(shop: &Shop, id: usize) -> Response {
    let path = format!("/admin/dead-letters/{id}/redrive");
    let url = shop.consumer.url("operations", &path).await;
    Response::to(client().post(url)).await.unwrap()
}

/// The reasons of all dead letters, as soon as there are this many.
async fn wait_for_reasons(shop: &Shop, count: usize) -> Vec<String> {
    eventually(async || {
        let reasons: Vec<String> =
            sqlx::query_scalar("SELECT reason FROM dead_letters ORDER BY id")
                .fetch_all(&shop.databases.read)
                .await
                .unwrap();
        if reasons.len() == count { Ok(reasons) } else { Err(format!("{reasons:#?}")) }
    })
    .await
}

#[tokio::test]
async fn an_external_order_is_applied_once_when_its_product_is_known() {
    let shop = Shop::start().await;
    send(&shop, "order-events", "order-1", "till", ORDER).await;
    let reasons = wait_for_reasons(&shop, 1).await;
    assert!(
        reasons[0].starts_with("items[0].productId: product 900000000001 is not"),
        "{reasons:?}"
    );
    redrive(&shop, 1).await.assert_status(409);
    assert_eq!(wait_for_reasons(&shop, 1).await, reasons);

    // Two applications may use the same message id.
    send(&shop, "product-events", "1", "stock", PRODUCT).await;
    let other = PRODUCT.replace("000001", "000002");
    send(&shop, "product-events", "1", "other", other).await;
    shop.get_until("/api/products", |products| products.body[1]["stock"] == 10).await;
    let response = redrive(&shop, 1).await;
    assert_eq!(response.body["outcome"], "applied", "{}", response.text);
    let order = shop.get("/api/orders/900000000001").await;
    assert_eq!((&order.body["total"], &order.body["status"]), (&0.9.into(), &"CREATED".into()));
    assert_eq!(order.body["items"][0]["category"], "Drinks");
    assert_eq!(order.body["createdAt"], "2026-01-01T10:30:00Z");

    // The same event; the same order with another event id; another order with the same id.
    send(&shop, "order-events", "order-1", "till", ORDER).await;
    send(&shop, "order-events", "order-2", "till", ORDER).await;
    send(&shop, "order-events", "order-1", "till", ORDER.replace(":3,", ":4,")).await;
    let reasons = wait_for_reasons(&shop, 2).await;
    assert!(reasons[0].starts_with("OrderCreated 900000000001: event "), "{reasons:?}");
    assert!(reasons[1].starts_with("Event id "), "{reasons:?}");
    let sales = shop.get("/api/analytics/products/900000000001/sales").await;
    assert_eq!(sales.body["orderCount"], 1, "{}", sales.text);
    shop.stop().await;
}

#[tokio::test]
async fn reasons_name_the_defect_and_do_not_change_after_a_redrive() {
    let shop = Shop::start().await;
    let gzip = [&[0x1f_u8, 0x8b, 8, 0, 0, 0, 0, 0], "packed".as_bytes()].concat();
    let utf16: Vec<u8> = ORDER.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: [(&[u8], &str); 9] = [
        (&gzip, "compressed (its first bytes are those of gzip)"),
        (b"\xef\xbb\xbf{}", "starts with a byte order mark"),
        (&utf16, "UTF-16; must be UTF-8"),
        (b"", "the body is empty"),
        (b"[]", "not a JSON object, but an array"),
        (
            &ORDER.replace("0.30000000000000004", "true").into_bytes(),
            "items[0].price: must be a number",
        ),
        (&ORDER.replace("T10:30:00", "").into_bytes(), "timestamp: must be an ISO 8601"),
        (&ORDER.replace("\"customerId\":9,", "").into_bytes(), "customerId: is required"),
        (
            &ORDER.replace("OrderCreated\"", "OrderCreated\",\"version\":2").into_bytes(),
            "unknown version 2",
        ),
    ];
    for (number, (body, _)) in cases.iter().enumerate() {
        send(&shop, "order-events", &format!("m-{number}"), "till", *body).await;
    }
    let packed = BasicProperties::default()
        .with_message_id("packed".into())
        .with_content_encoding("br".into());
    shop.broker.publish_with("order-events", &[vec![0x8b, 2, 0x80]], packed).await;
    let reasons = wait_for_reasons(&shop, cases.len() + 1).await;
    for (reason, (_, beginning)) in reasons.iter().zip(&cases) {
        assert!(reason.starts_with(beginning), "{reason}");
    }
    assert!(reasons[cases.len()].starts_with("compressed (content_encoding br)"), "{reasons:?}");
    for id in 1..=reasons.len() {
        redrive(&shop, id).await.assert_status(409);
    }
    assert_eq!(wait_for_reasons(&shop, reasons.len()).await, reasons);
    shop.stop().await;
}
