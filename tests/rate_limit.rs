//! Whoever comes too often is told when to come back, and is let in then.

use crate::harness::{Keys, Response, Shop, client};
use access::Role;
use std::cell::Cell;
use std::time::{Duration, Instant};

const PATH: &str = "/api/analytics/sync-status";

/// The seconds of `Retry-After`, if a request was one too many.
fn wait(response: &Response) -> Option<u64> {
    (response.status == 429).then(|| {
        assert_eq!(response.error(), "Too many requests");
        response.headers["retry-after"].to_str().unwrap().parse().unwrap()
    })
}

/// Calls until a request is one too many: how many were not, and how long to wait.
async fn until_too_many(call: impl AsyncFn() -> Response) -> (usize, u64) {
    for calls in 0..100 {
        let response = call().await;
        match wait(&response) {
            Some(seconds) => return (calls, seconds),
            None => assert!(response.status < 500, "{}", response.text),
        }
    }
    panic!("nobody is ever told to come back");
}

#[tokio::test]
async fn whoever_comes_back_when_told_is_let_in() {
    let settings = [("RATE_LIMIT", "1"), ("RATE_LIMIT_BURST", "3")];
    let shop = Shop::start_with(&settings).await;
    let url = format!("http://{}{PATH}", shop.query.address("api").await);
    let call = async || Response::to(client().get(&url)).await.unwrap();
    let (calls, seconds) = until_too_many(call).await;
    assert!(calls >= 3, "{calls}");
    assert_eq!(seconds, 1);
    // What is promised is a time; there is nothing else to wait for.
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    assert_eq!(call().await.status, 200);
    for _ in 0..10 {
        assert_eq!(shop.get("/health").await.status, 200);
        assert_eq!(shop.query.health().await.status, 200);
    }
    // Paths that there are not count, too.
    until_too_many(async || shop.get("/nothing").await).await;
    shop.stop().await;
}

#[tokio::test]
async fn callers_are_counted_by_key_and_others_by_address() {
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
    let url = format!("http://{}{PATH}", shop.query.address("api").await);
    let call = async |key: &str, forwarded_for: &str| {
        let request = client().get(&url).header("x-forwarded-for", forwarded_for);
        let request = if key.is_empty() { request } else { request.header("x-api-key", key) };
        Response::to(request).await.unwrap()
    };
    let number = Cell::new(0);
    let next = || number.replace(number.get() + 1);
    // A caller is the same from wherever.
    until_too_many(async || call(&ada, &format!("1.1.1.{}", next())).await).await;
    assert_eq!(call(&eva, "1.1.1.1").await.status, 200);
    // Somebody without a key is an address, whatever he writes before it.
    until_too_many(async || call("", &format!("1.1.1.{}, 3.3.3.3", next())).await).await;
    assert_eq!(call("", "2.2.2.2").await.status, 401);
    // Of IPv6 a network is one client.
    until_too_many(async || call("", &format!("2001:db8::{}", next())).await).await;
    assert_eq!(call("", "2001:db8:0:1::1").await.status, 401);
    shop.stop().await;
}

#[tokio::test]
async fn who_guesses_is_stopped_and_holders_of_keys_are_not() {
    let mut keys = Keys::empty();
    let key = keys.add(&[Role::Reader]);
    let secret = "a secret that nobody guesses, of many bytes";
    let settings = [("AUTH", "on"), ("API_KEYS_FILE", &*keys.setting()), ("JWT_SECRET", secret)];
    let shop = Shop::start_with(&settings).await;
    let (client, url) = (client(), format!("http://{}{PATH}", shop.query.address("api").await));
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
        if let Some(seconds) = wait(&response) {
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
