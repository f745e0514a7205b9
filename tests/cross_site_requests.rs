//! Operations ports refuse requests from web pages of other sites, with and without
//! authentication.

use crate::harness::{Keys, Response, Shop, client};
use access::Role;
use reqwest::Method;

#[tokio::test]
async fn operations_ports_refuse_requests_from_web_pages_of_other_sites() {
    let mut keys = Keys::empty();
    let admin = keys.add(&[Role::Admin]);
    let auth = [("AUTH", "on"), ("API_KEYS_FILE", &*keys.setting())];
    for settings in [&[][..], &auth] {
        let shop = Shop::start_with(settings).await;
        let replay = shop.command.url("operations", "/admin/replay").await;
        let letter = shop.consumer.url("operations", "/admin/dead-letters/1").await;
        let send = async |method: Method, url: &str, header: Option<(&str, &str)>| {
            let mut request = client().request(method, url).header("x-api-key", &admin);
            if let Some((name, value)) = header {
                request = request.header(name, value);
            }
            Response::to(request).await.unwrap()
        };
        for header in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("host", "evil.example"),
        ] {
            for (method, url) in
                [(Method::POST, &replay), (Method::DELETE, &letter), (Method::GET, &letter)]
            {
                send(method, url, Some(header)).await.assert_refused(403, "Forbidden");
            }
        }
        // The refused requests have started no replay. Other clients can start one.
        send(Method::GET, &replay, None).await.assert_refused(404, "No replay");
        send(Method::POST, &replay, None).await.assert_status(202);
        // Health is public.
        let health = client().get(shop.command.url("operations", "/health").await);
        Response::to(health.header("origin", "null")).await.unwrap().assert_status(200);
        shop.stop().await;
    }
}
