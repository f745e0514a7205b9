//! A caller beyond the rate limit gets 429 with `Retry-After` and is accepted after that time.

use crate::harness::{Keys, Response, Shop, client, modelled_delay};
use access::Role;
use std::cell::Cell;
use std::time::{Duration, Instant};

const PATH: &str = "/api/analytics/sync-status";

/// The seconds of `Retry-After`, if the request exceeds the limit.
fn retry_after(response: &Response) -> Option<u64> {
    (response.status == 429).then(|| {
        assert_eq!(response.error(), "Too many requests");
        response.headers["retry-after"].to_str().unwrap().parse().unwrap()
    })
}

/// Sends requests until one exceeds the limit. Returns the number of accepted requests and
/// the seconds of `Retry-After`.
async fn exceed_limit(call: impl AsyncFn() -> Response) -> (usize, u64) {
    for calls in 0..100 {
        let response = call().await;
        match retry_after(&response) {
            Some(seconds) => return (calls, seconds),
            None => assert!(response.status < 500, "{}", response.text),
        }
    }
    panic!("there is no limit");
}

#[tokio::test]
async fn a_request_is_accepted_after_the_time_of_retry_after() {
    let settings = [("RATE_LIMIT", "1"), ("RATE_LIMIT_BURST", "3")];
    let shop = Shop::start_with(&settings).await;
    let url = shop.query.url("api", PATH).await;
    let call = async || Response::to(client().get(&url)).await.unwrap();
    let (calls, seconds) = exceed_limit(call).await;
    assert!(calls >= 3, "{calls}");
    assert_eq!(seconds, 1);
    modelled_delay(Duration::from_secs(seconds)).await;
    assert_eq!(call().await.status, 200);
    for _ in 0..10 {
        shop.get("/health").await.assert_status(200);
        assert_eq!(shop.query.health().await.status, 200);
    }
    // Requests for unknown paths count, too.
    exceed_limit(async || shop.get("/nothing").await).await;
    shop.stop().await;
}

#[tokio::test]
async fn the_limit_is_per_key_or_else_per_address() {
    let mut keys = Keys::empty();
    let [ada, eva] = [keys.add(&[Role::Reader]), keys.add(&[Role::Reader])];
    let shop = Shop::start_with(&[
        ("AUTH", "on"),
        ("API_KEYS_FILE", &keys.setting()),
        ("RATE_LIMIT", "1"),
        ("RATE_LIMIT_BURST", "5"),
        ("TRUSTED_PROXIES", "127.0.0.0/8"),
    ])
    .await;
    let url = shop.query.url("api", PATH).await;
    let call = async |key: &str, forwarded_for: &str| {
        let request = client().get(&url).header("x-forwarded-for", forwarded_for);
        let request = if key.is_empty() { request } else { request.header("x-api-key", key) };
        Response::to(request).await.unwrap()
    };
    let number = Cell::new(0);
    let next = || number.replace(number.get() + 1);
    // A key has one limit for all addresses.
    exceed_limit(async || call(&ada, &format!("1.1.1.{}", next())).await).await;
    assert_eq!(call(&eva, "1.1.1.1").await.status, 200);
    // Without a key, the address is that of the trusted proxy's client. Forged addresses
    // before it do not matter.
    exceed_limit(async || call("", &format!("1.1.1.{}, 3.3.3.3", next())).await).await;
    assert_eq!(call("", "2.2.2.2").await.status, 401);
    // An IPv6 network has one limit.
    exceed_limit(async || call("", &format!("2001:db8::{}", next())).await).await;
    assert_eq!(call("", "2001:db8:0:1::1").await.status, 401);
    shop.stop().await;
}

#[tokio::test]
async fn guessing_credentials_is_limited_and_valid_keys_are_accepted() {
    let mut keys = Keys::empty();
    let key = keys.add(&[Role::Reader]);
    let secret = "a secret of more than thirty-two bytes";
    let settings = [("AUTH", "on"), ("API_KEYS_FILE", &*keys.setting()), ("JWT_SECRET", secret)];
    let shop = Shop::start_with(&settings).await;
    let (client, url) = (client(), shop.query.url("api", PATH).await);
    let guess = async |guess: &str| {
        Response::to(client.get(&url).header("authorization", format!("Bearer {guess}")))
            .await
            .unwrap()
    };
    let began = Instant::now();
    let mut guesses = 0;
    let seconds = loop {
        guesses += 1;
        let response = guess("a.b.c").await;
        if let Some(seconds) = retry_after(&response) {
            break seconds;
        }
        assert_eq!(response.status, 401);
        assert!(began.elapsed() < Duration::from_secs(60), "{guesses} guesses");
    };
    assert!(guesses > 100 && seconds >= 1, "{guesses} guesses, {seconds} s");
    let basic = client.get(&url).header("authorization", "Basic YTpi");
    assert_eq!(Response::to(basic).await.unwrap().status, 429);
    assert_eq!(guess(&key).await.status, 200);
    assert_eq!(Response::to(client.get(&url)).await.unwrap().status, 401);
    shop.stop().await;
}
