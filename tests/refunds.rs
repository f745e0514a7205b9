//! Refunds by line or by amount, through every view.

use crate::harness::{Response, Shop, assert_views_agree, execute};
use futures::future::join_all;
use serde_json::{Value, json};

/// A shop with a product of 10 in stock at 2.5, one of 10 at 7, and a paid order of 4 and 2 units.
async fn paid_order() -> (Shop, [i64; 2], i64) {
    let shop = Shop::start().await;
    let products = [shop.product("Tea", "2.5", 10).await, shop.product("Cup", "7", 10).await];
    let items = format!(
        r#"{{"customerId":7,"items":[{{"productId":{},"quantity":4}},
            {{"productId":{},"quantity":2}}]}}"#,
        products[0], products[1]
    );
    let order = shop.post("/api/orders", &items).await.integer("orderId");
    shop.set_status(order, "PAID").await.assert_status(200);
    (shop, products, order)
}

async fn refund(shop: &Shop, order: i64, body: &Value) -> Response {
    shop.post(&format!("/api/orders/{order}/refunds"), &body.to_string()).await
}

async fn figures(shop: &Shop, product: i64) -> Value {
    shop.caught_up().await;
    let sales = shop.get(&format!("/api/analytics/products/{product}/sales")).await.body;
    let customer = shop.get("/api/analytics/customers/7/lifetime-value").await.body;
    let catalogue = shop.get(&format!("/api/products/{product}")).await.body;
    json!([
        sales["totalQuantitySold"],
        sales["totalRevenue"],
        sales["orderCount"],
        customer["totalSpent"],
        customer["orderCount"],
        catalogue["stock"],
    ])
}

#[tokio::test]
async fn a_part_of_an_order_is_refunded_in_every_view() {
    let (shop, [tea, cup], order) = paid_order().await;
    assert_eq!(figures(&shop, tea).await, json!([4, 10, 1, 24, 1, 6]));

    let body = json!({"items": [{"productId": tea, "quantity": 1}], "reason": "unwanted"});
    let first = refund(&shop, order, &body).await;
    first.assert_status(201);
    assert_eq!(first.headers["location"], format!("/api/orders/{order}/refunds"));
    assert!(first.headers.contains_key("x-event-id"));
    let item = json!({"productId": tea, "productName": "A Tea", "category": "Tea", "quantity": 1,
                      "amount": 2.5, "stockReturned": 1});
    let (id, created_at) = (first.integer("refundId"), first.body["createdAt"].clone());
    let mut shown = json!({"refundId": id, "id": id, "orderId": order, "items": [item],
                           "amount": 2.5, "refundedTotal": 2.5, "status": "PAID",
                           "reason": "unwanted", "createdAt": created_at});
    assert_eq!(first.body, shown);
    assert_eq!(figures(&shop, tea).await, json!([3, 7.5, 1, 21.5, 1, 7]));
    // Queries show times with the precision of the event.
    let listed = shop.get(&format!("/api/orders/{order}/refunds")).await.body;
    shown["createdAt"] = listed[0]["createdAt"].clone();
    assert_eq!(listed, json!([shown]));

    // An amount without units is spread over what is left: 7.5 and 14.
    refund(&shop, order, &json!({"amount": 2.15})).await.assert_status(201);
    assert_eq!(figures(&shop, tea).await, json!([3, 6.75, 1, 19.35, 1, 7]));
    assert_eq!(figures(&shop, cup).await, json!([2, 12.6, 1, 19.35, 1, 8]));
    let seen = shop.get(&format!("/api/orders/{order}")).await.body;
    assert_eq!((&seen["refundedTotal"], &seen["status"]), (&json!(4.65), &json!("PAID")));
    assert_eq!(seen["refunds"].as_array().unwrap().len(), 2);
    assert_views_agree(&shop.databases).await;

    // The units stay with the customer, or are broken.
    let broken = json!({"items": [{"productId": cup, "quantity": 1, "amount": 5}],
                        "restock": false});
    refund(&shop, order, &broken).await.assert_status(201);
    assert_eq!(figures(&shop, cup).await, json!([1, 7.6, 1, 14.35, 1, 8]));

    let refused = shop.set_status(order, "CANCELLED").await;
    refused.assert_refused(409, "Invalid status transition");
    assert_eq!(refused.body["allowed"], json!(["SHIPPED", "REFUNDED"]));
    shop.set_status(order, "REFUNDED").await.assert_status(200);
    assert_eq!(figures(&shop, tea).await, json!([0, 0, 0, 0, 0, 7]));
    assert_eq!(figures(&shop, cup).await, json!([0, 0, 0, 0, 0, 8]));
    let refunds = shop.get(&format!("/api/orders/{order}/refunds")).await.body;
    assert_eq!(refunds[3]["amount"], json!(14.35));
    assert_eq!(refunds[3]["refundedTotal"], json!(24));
    refund(&shop, order, &json!({"amount": 1})).await.assert_refused(409, "Refund exceeds order");
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn the_refund_of_the_last_unit_makes_the_order_refunded() {
    let (shop, [tea, cup], order) = paid_order().await;
    let units = |product: i64, quantity: i32| json!({"productId": product, "quantity": quantity});
    let first = refund(&shop, order, &json!({"items": [units(cup, 2)]})).await;
    assert_eq!(first.body["status"], "PAID");
    let last = refund(&shop, order, &json!({"items": [units(tea, 4)]})).await;
    assert_eq!(
        (&last.body["status"], &last.body["refundedTotal"]),
        (&json!("REFUNDED"), &json!(24))
    );
    assert_eq!(last.body["items"].as_array().unwrap().len(), 1);
    for product in [tea, cup] {
        assert_eq!(figures(&shop, product).await, json!([0, 0, 0, 0, 0, 10]));
    }
    let events = "SELECT count(*) FROM outbox WHERE payload ->> 'eventType' = 'OrderRefunded'";
    assert_eq!(shop.databases.query_write(events).await, 2);
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn refunds_are_refused_with_fixed_texts_and_change_nothing() {
    let (shop, [tea, cup], order) = paid_order().await;
    let unpaid = shop.place_order(7, tea, 1).await;
    let cancelled = shop.place_order(7, tea, 1).await;
    shop.set_status(cancelled, "CANCELLED").await.assert_status(200);
    let other = shop.product("Mat", "1", 1).await;
    let unit = |product: i64, quantity: i64| json!({"items": [{"productId": product, "quantity": quantity}]});
    for (order, body, status, error) in [
        (order, json!({}), 400, "Invalid refund data"),
        (
            order,
            json!({"amount": 1, "items": [{"productId": tea, "quantity": 1}]}),
            400,
            "Invalid refund data",
        ),
        (order, unit(other, 1), 400, "Invalid refund data"),
        (order, unit(tea, 0), 400, "Invalid refund data"),
        (order + 1000, unit(tea, 1), 404, "Order not found"),
        (order, unit(tea, 5), 409, "Refund exceeds order"),
        (order, json!({"amount": 24.0001}), 409, "Refund exceeds order"),
        (
            order,
            json!({"items": [{"productId": cup, "quantity": 1, "amount": 14.5}]}),
            409,
            "Refund exceeds order",
        ),
        (unpaid, unit(tea, 1), 409, "Order not refundable"),
        (cancelled, unit(tea, 1), 409, "Order not refundable"),
    ] {
        refund(&shop, order, &body).await.assert_refused(status, error);
    }
    let items = json!([{"productId": other, "quantity": 1}, {"productId": tea, "quantity": 1},
                       {"productId": other + 1, "quantity": 1}]);
    let refused = refund(&shop, order, &json!({"items": items})).await;
    assert_eq!(refused.body["errors"][1]["field"], "items[2].productId");
    let refused = refund(&shop, order, &unit(tea, 5)).await;
    assert_eq!([&refused.body["productId"], &refused.body["quantityLeft"]], [tea, 4]);
    let refused = refund(&shop, order, &json!({"amount": 25})).await;
    assert_eq!(refused.body["amountLeft"], 24);
    let forged = json!({"amount": 1, "reason": "PAYMENT_TIMEOUT"});
    refund(&shop, order, &forged).await.assert_refused(400, "Invalid refund data");
    let refunds = "SELECT count(*) FROM refunds";
    assert_eq!(shop.databases.query_write(refunds).await, 0);
    shop.get("/api/orders/123456/refunds").await.assert_refused(404, "Order not found");
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

#[tokio::test]
async fn concurrent_refunds_never_exceed_the_order_and_a_key_refunds_once() {
    let (shop, [tea, _], order) = paid_order().await;
    let body = json!({"items": [{"productId": tea, "quantity": 1}]});
    let responses = join_all((0..10).map(|_| refund(&shop, order, &body))).await;
    let accepted = responses.iter().filter(|response| response.status == 201).count();
    assert_eq!(accepted, 4);
    for refused in responses.iter().filter(|response| response.status != 201) {
        refused.assert_refused(409, "Refund exceeds order");
    }
    let path = format!("/api/orders/{order}/refunds");
    let keyed = async || {
        let headers = [("idempotency-key", "one-refund")];
        shop.post_with(&path, r#"{"amount":0.5}"#, &headers).await
    };
    let [one, other] = [keyed().await, keyed().await];
    one.assert_status(201);
    assert_eq!((one.status, &one.body), (other.status, &other.body));
    assert_eq!(one.headers["x-event-id"], other.headers["x-event-id"]);
    let refunds = "SELECT count(*) FROM refunds";
    assert_eq!(shop.databases.query_write(refunds).await, 5);
    shop.caught_up().await;
    assert_views_agree(&shop.databases).await;
    shop.stop().await;
}

/// Every response about an order lists its refunds.
#[tokio::test]
async fn the_items_of_all_refunds_of_an_order_are_limited() {
    let (shop, [tea, _], order) = paid_order().await;
    let refunds = "
        INSERT INTO refunds (order_id, amount, refunded_total, status, created_at)
        SELECT id, 0, 0, status, now() FROM orders, generate_series(1, 9999);
        INSERT INTO refund_items (refund_id, order_id, item_id, quantity, amount, stock_returned)
        SELECT refunds.id, order_id, (SELECT min(id) FROM order_items), 0, 0, 0 FROM refunds";
    execute(&shop.databases.write, refunds).await;
    let body = json!({"items": [{"productId": tea, "quantity": 1}]});
    refund(&shop, order, &body).await.assert_status(201);
    refund(&shop, order, &body).await.assert_refused(409, "Order not refundable");
    shop.set_status(order, "REFUNDED").await.assert_status(200);
    shop.stop().await;
}
