//! API keys take effect and are revoked without a restart. Callers have separate idempotency
//! keys. The operator's tools authenticate.

use crate::harness::{Keys, Response, Service, Shop, admin, client, eventually, program};
use access::Role::{Admin, Reader, Writer};
use std::fs;
use std::path::Path;

/// Runs `cargo stack keys` and returns its output.
fn keys(file: &Path, arguments: &[&str]) -> String {
    let file = file.to_str().unwrap();
    let output = admin(&[&["keys", "--file", file], arguments].concat());
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    output.stdout.trim().to_owned()
}

/// Waits until requests with a key get a status.
async fn wait_for_status(url: &str, key: &str, status: u16) {
    eventually(async || {
        let response = Response::to(client().get(url).header("x-api-key", key)).await.unwrap();
        response.ok_if(|response| response.status == status)
    })
    .await;
}

/// Waits until a healthy service reports this about the key file.
async fn wait_for_report(service: &Service, status: &str, detail: &str) {
    service
        .wait_for_health(|health| {
            let part = &health.body["api-keys"];
            part["status"] == status
                && part["detail"].as_str().unwrap_or_default().contains(detail)
                && health.status == 200
        })
        .await;
}

#[tokio::test]
async fn a_key_works_from_its_creation_until_its_revocation() {
    let store = Keys::empty();
    let shop = Shop::start_with(&[("AUTH", "on"), ("API_KEYS_FILE", &store.setting())]).await;
    let url = shop.query.url("api", "/api/orders").await;
    wait_for_report(&shop.query, "up", "").await;
    let create = ["create", "--name", "till", "--role", "reader", "--expires-in", "1h"];
    let key = keys(&store.path(), &create);
    wait_for_status(&url, &key, 200).await;
    wait_for_report(&shop.query, "up", "").await;
    let list = keys(&store.path(), &["list"]);
    assert!(list.contains("reader") && list.contains("till"), "{list}");
    let secret = key.rsplit_once('_').unwrap().1;
    assert!(!list.contains(secret) && !fs::read_to_string(store.path()).unwrap().contains(secret));

    // An invalid or missing file is reported, and the keys of the last valid one still work.
    let text = fs::read_to_string(store.path()).unwrap();
    fs::write(store.path(), &text[..text.len() / 2]).unwrap();
    wait_for_report(&shop.query, "down", "API_KEYS_FILE is invalid").await;
    wait_for_status(&url, &key, 200).await;
    fs::write(store.path(), text).unwrap();
    wait_for_report(&shop.query, "up", "").await;
    let moved = store.folder().join("moved.json");
    fs::rename(store.path(), &moved).unwrap();
    wait_for_report(&shop.query, "down", "cannot read API_KEYS_FILE").await;
    wait_for_status(&url, &key, 200).await;
    fs::rename(moved, store.path()).unwrap();
    wait_for_report(&shop.query, "up", "").await;

    keys(&store.path(), &["revoke", list.split(' ').next().unwrap()]);
    wait_for_status(&url, &key, 401).await;
    assert!(keys(&store.path(), &["list"]).contains("revoked"));
    assert_eq!(admin(&["keys", "revoke", "x", "--file", &store.setting()]).code, Some(1));
    shop.stop().await;
}

#[tokio::test]
async fn two_callers_can_use_the_same_idempotency_key() {
    let mut store = Keys::empty();
    let callers = [store.add(&[Writer]), store.add(&[Writer])];
    let shop = Shop::start_with(&[("AUTH", "on"), ("API_KEYS_FILE", &store.setting())]).await;
    let create = async |key: &String| {
        let body = r#"{"name":"Tea","category":"Tea","price":5}"#;
        let headers = [("x-api-key", key.as_str()), ("idempotency-key", "k")];
        let created = shop.post_with("/api/products", body, &headers).await;
        created.assert_status(201);
        created.integer("productId")
    };
    let [first, second] = [create(&callers[0]).await, create(&callers[1]).await];
    assert_ne!(first, second);
    assert_eq!([create(&callers[0]).await, create(&callers[1]).await], [first, second]);
    shop.stop().await;
}

#[tokio::test]
async fn the_operators_tools_authenticate_with_a_key() {
    let mut store = Keys::empty();
    let (clients, operators) = (store.add(&[Reader, Writer]), store.add(&[Admin]));
    let shop = Shop::start_with(&[("AUTH", "on"), ("API_KEYS_FILE", &store.setting())]).await;
    let (command, query) = (shop.command.url("api", "").await, shop.query.url("api", "").await);
    let load = |key: &str| {
        let mut load = tokio::process::Command::new(program("load"));
        load.args(["--users", "5", "--products", "5", "--orders", "20", "--concurrency", "4"])
            .args(["--command-url", &command, "--query-url", &query, "--patience", "5"])
            .env("SHOP_API_KEY", key);
        load
    };
    let output = load(&clients).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(!load("").output().await.unwrap().status.success());

    let replay = async |key| shop.command.admin(&format!("replay --all --api-key {key}")).await;
    assert_eq!(replay(&operators).await.code, Some(0));
    let refused = replay(&clients).await;
    let is_explained = refused.stderr.contains("Requires role `admin`");
    assert!(refused.code != Some(0) && is_explained, "{}", refused.stderr);
    let listed = shop.consumer.admin(&format!("dead-letters list --api-key {operators}")).await;
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    assert_ne!(shop.consumer.admin("dead-letters list").await.code, Some(0));
    shop.stop().await;
}
