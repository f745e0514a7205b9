//! What a web page on the operator's machine sends to an operations port does nothing,
//! whether or not services ask for credentials.

use crate::harness::{Keys, Response, Shop, client};
use access::Role;
use reqwest::{Method, RequestBuilder};

async fn refused(request: RequestBuilder) -> bool {
    let response = Response::to(request).await.unwrap();
    response.status == 403 && response.error() == "Forbidden"
}

#[tokio::test]
async fn web_pages_do_nothing_on_operations_ports() {
    let mut keys = Keys::empty();
    let admin = keys.add(&[Role::Admin]);
    let on = [("AUTH", "on"), ("API_KEYS_FILE", &*keys.setting())];
    for settings in [&[][..], &on] {
        let shop = Shop::start_with(settings).await;
        let command = format!("http://{}", shop.command.address("operations").await);
        let consumer = format!("http://{}", shop.consumer.address("operations").await);
        let replay = format!("{command}/admin/replay");
        let letter = format!("{consumer}/admin/dead-letters/1");
        let send = |method, url: &str| client().request(method, url).header("x-api-key", &admin);
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("host", "evil.example"),
        ] {
            let sent = || send(Method::POST, &replay).header(name, value);
            assert!(refused(sent()).await, "{name}: {value}");
            assert!(refused(send(Method::DELETE, &letter).header(name, value)).await);
            assert!(refused(send(Method::GET, &letter).header(name, value)).await);
        }
        // Nothing was begun.
        let progress = Response::to(send(Method::GET, &replay)).await.unwrap();
        assert_eq!((progress.status, progress.error()), (404, "No replay"));
        // What is no web page gets through; and health may be looked at by anybody.
        let begun = Response::to(send(Method::POST, &replay)).await.unwrap();
        assert_eq!(begun.status, 202, "{}", begun.text);
        let health = client().get(format!("{command}/health")).header("origin", "null");
        assert_eq!(Response::to(health).await.unwrap().status, 200);
        shop.stop().await;
    }
}
