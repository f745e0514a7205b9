//! Refunds that are sent twice.

use super::client::Client;
use super::environment::Environment;
use super::load::place;
use futures::future::join;
use reqwest::Method;
use serde_json::Value;

/// Number of refunds.
const REFUNDS: u64 = 40;

/// Two clients send each refund at the same time with the same idempotency key, while the command
/// service is killed, and once more at the end. All get the same response.
pub async fn sent_twice(environment: &mut Environment) {
    let product = environment.shop.product("Refunded", "10", 1_000).await;
    environment.ledger.entries().products.insert(product, Some(1_000));
    let mut clients = ["one", "other"]
        .map(|name| environment.load.client(name.to_owned(), environment.random.fork()));
    let mut refunded = Vec::new();
    for number in 0..REFUNDS {
        let [one, other] = &mut clients;
        let order = paid_order(one, product).await;
        let key = format!("refund-{number}");
        let both = join(refund(one, order, product, &key), refund(other, order, product, &key));
        let kill = async {
            if number % 4 == 0 {
                environment.random_delay(0..15).await;
                environment.shop.command.kill();
                environment.shop.command.restart();
            }
        };
        let ((first, second), ()) = join(both, kill).await;
        if first != second {
            environment.ledger.violation(format!("{key} got {first} and {second}"));
        }
        let id = first["refundId"].as_i64().expect("the refund is accepted");
        environment.ledger.entries().refunds.push((id, order));
        refunded.push((order, key, first));
    }
    for (order, key, first) in refunded {
        let again = refund(&mut clients[0], order, product, &key).await;
        if first != again {
            environment.ledger.violation(format!("{key} got {first} and later {again}"));
        }
    }
}

/// An order of three units at 10.
async fn paid_order(client: &mut Client, product: i64) -> i64 {
    let body = format!(r#"{{"customerId":1,"items":[{{"productId":{product},"quantity":3}}]}}"#);
    let order = place(client, 1, &body).await.expect("the order is accepted");
    let path = format!("/api/orders/{order}/status");
    let paid = client.send(Method::PUT, &path, r#"{"status":"PAID"}"#).await;
    paid.expect("the order is paid").assert_status(200);
    order
}

/// The response to a refund of one unit, which can be repeated without exceeding the order.
async fn refund(client: &mut Client, order: i64, product: i64, key: &str) -> Value {
    let path = format!("/api/orders/{order}/refunds");
    let body =
        format!(r#"{{"items":[{{"productId":{product},"quantity":1}}],"reason":"sent twice"}}"#);
    let response = client.send_with_key(Method::POST, &path, &body, key).await;
    response.map_or(Value::Null, |response| response.body)
}
