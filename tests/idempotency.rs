//! A command sent twice with one `Idempotency-Key` takes effect once, and both requests get
//! the same response.

use crate::harness::{Response, Shop, account, client, order};
use futures::future::join_all;
use reqwest::header::HeaderMap;

/// Posts with an idempotency key to the API at an address.
async fn post(address: &str, path: &str, key: &str, body: &str) -> Response {
    let request = client().post(format!("http://{address}{path}"));
    let request = request.header("content-type", "application/json");
    Response::to(request.header("idempotency-key", key).body(body.to_owned())).await.unwrap()
}

/// The parts of a response that a replay repeats.
fn replayed_parts(response: &Response) -> (u16, String, Vec<Option<String>>) {
    let header = |name: &str| {
        let text = |headers: &HeaderMap| headers.get(name)?.to_str().ok().map(str::to_owned);
        text(&response.headers)
    };
    let headers = ["x-event-id", "location", "content-type"].map(header).to_vec();
    (response.status, response.text.clone(), headers)
}

#[tokio::test]
async fn a_repeated_command_gets_the_same_response_and_takes_effect_once() {
    let shop = Shop::start().await;
    let address = shop.command.address("api").await;
    let product = shop.product("Tea", "5", 10).await;
    let user = shop.user("Bo", "bo@example.com").await;
    let account = account(user.integer("userId"), "1 Main Street");
    let events = "SELECT count(*) FROM outbox";
    for (path, body) in [
        ("/api/products", r#"{"name":"Mate","category":"Tea","price":1}"#.to_owned()),
        ("/api/users", r#"{"name":"Ada","email":"ada@example.com"}"#.to_owned()),
        ("/api/accounts", account),
        ("/api/orders", order(1, product, 7)),
    ] {
        let before = shop.databases.query_write(events).await;
        let first = post(&address, path, "one-key-for-all", &body).await;
        first.assert_status(201);
        let second = post(&address, path, "one-key-for-all", &body).await;
        assert_eq!(replayed_parts(&second), replayed_parts(&first));
        assert_eq!(shop.databases.query_write(events).await, before + 1);
        let other = post(&address, path, "one-key-for-all", &format!("{body} ")).await;
        other.assert_refused(422, "Idempotency key reused");
        // With another key it is another command. The second order exceeds the stock.
        let fresh = post(&address, path, "another-key", &body).await;
        assert_ne!(fresh.text, first.text);
    }
    let left = "SELECT min(stock)::bigint FROM products";
    assert_eq!(shop.databases.query_write(left).await, 3);
    let refused = post(&address, "/api/orders", "a b", &order(1, product, 1)).await;
    refused.assert_refused(400, "Invalid idempotency key");
    shop.stop().await;
}

#[tokio::test]
async fn a_refused_command_is_evaluated_again() {
    let shop = Shop::start().await;
    let address = shop.command.address("api").await;
    let product = shop.product("Tea", "5", 1).await;
    let body = order(1, product, 2);
    let refused = post(&address, "/api/orders", "k", &body).await;
    refused.assert_refused(400, "Insufficient stock");
    let path = format!("/api/products/{product}");
    shop.command(reqwest::Method::PUT, &path, r#"{"stock":2}"#).await;
    post(&address, "/api/orders", "k", &body).await.assert_status(201);
    shop.stop().await;
}

#[tokio::test]
async fn concurrent_duplicates_at_two_services_get_the_same_response() {
    let shop = Shop::start().await;
    let other = shop.another_command_service();
    other.healthy().await;
    let addresses = [shop.command.address("api").await, other.address("api").await];
    let product = shop.product("Tea", "5", 30).await;
    let plenty = shop.product("Mate", "5", 1_000).await;
    for round in 0..30 {
        let key = format!("round-{round}");
        let (place, sign_up) = (
            order(1, product, 1),
            format!(r#"{{"name":"Ada","email":"ada-{round}@example.com"}}"#),
        );
        for (path, body) in [("/api/orders", &place), ("/api/users", &sign_up)] {
            // Orders of other customers share their transactions.
            let duplicates =
                (0..8).map(|duplicate| post(&addresses[duplicate % 2], path, &key, body));
            let others = (0..4).map(|_| shop.order(2, plenty, 1));
            let (duplicates, others) = tokio::join!(join_all(duplicates), join_all(others));
            assert!(others.iter().all(|other| other.status == 201));
            for duplicate in &duplicates {
                duplicate.assert_status(201);
                assert_eq!(replayed_parts(duplicate), replayed_parts(&duplicates[0]));
            }
        }
    }
    let placed = "SELECT count(*) FROM orders WHERE customer_id = 1";
    assert_eq!(shop.databases.query_write(placed).await, 30);
    assert_eq!(shop.databases.query_write("SELECT count(*) FROM users").await, 30);
    assert_eq!(shop.databases.query_write("SELECT min(stock)::bigint FROM products").await, 0);
    drop(other);
    shop.stop().await;
}
