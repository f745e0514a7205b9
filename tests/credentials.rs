//! Keys count as soon as they are made, and not any more when they are revoked, with no
//! restart; and whoever calls has commands of their own.

use crate::harness::{Keys, Response, Service, Shop, client, eventually, json, program};
use access::Role::{Admin, Reader, Writer};
use reqwest::Method;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the operator's client.
fn admin(arguments: &[&str]) -> Output {
    Command::new(program("admin")).args(arguments).env_remove("SHOP_API_KEY").output().unwrap()
}

/// Runs `cargo stack keys`; what it prints.
fn keys(file: &Path, arguments: &[&str]) -> String {
    let file = file.to_str().unwrap();
    let output = admin(&[&["keys", "--file", file], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Waits until a key is answered so.
async fn answered(url: &str, key: &str, status: u16) {
    eventually(async || {
        let response = Response::to(client().get(url).header("x-api-key", key)).await.unwrap();
        if response.status == status { Ok(()) } else { Err(response.text) }
    })
    .await;
}

/// Waits until a service says that about its keys.
async fn told(service: &Service, status: &str, detail: &str) {
    eventually(async || {
        let health = service.health().await;
        let part = &health.body["api-keys"];
        let fits = part["status"] == status
            && part["detail"].as_str().unwrap_or_default().contains(detail)
            && health.status == 200;
        if fits { Ok(()) } else { Err(health.text) }
    })
    .await;
}

#[tokio::test]
async fn a_key_counts_from_when_it_is_made_until_it_is_revoked() {
    let store = Keys::empty();
    let shop = Shop::start_with(&[("AUTH", "on"), ("API_KEYS_FILE", &store.setting())]).await;
    let url = format!("http://{}/api/orders", shop.query.address("api").await);
    told(&shop.query, "up", "").await;
    let create = ["create", "--name", "till", "--role", "reader", "--expires-in", "1h"];
    let key = keys(&store.path(), &create);
    answered(&url, &key, 200).await;
    told(&shop.query, "up", "").await;
    let list = keys(&store.path(), &["list"]);
    assert!(list.contains("reader") && list.contains("till"), "{list}");
    let secret = key.rsplit_once('_').unwrap().1;
    assert!(!list.contains(secret) && !fs::read_to_string(store.path()).unwrap().contains(secret));

    // A file that is spoilt changes nothing, and is told of.
    let text = fs::read_to_string(store.path()).unwrap();
    fs::write(store.path(), &text[..text.len() / 2]).unwrap();
    told(&shop.query, "down", "API_KEYS_FILE is bad").await;
    answered(&url, &key, 200).await;
    fs::write(store.path(), text).unwrap();
    told(&shop.query, "up", "").await;
    let moved = store.folder().join("moved.json");
    fs::rename(store.path(), &moved).unwrap();
    told(&shop.query, "down", "cannot read API_KEYS_FILE").await;
    answered(&url, &key, 200).await;
    fs::rename(moved, store.path()).unwrap();
    told(&shop.query, "up", "").await;

    keys(&store.path(), &["revoke", list.split(' ').next().unwrap()]);
    answered(&url, &key, 401).await;
    assert!(keys(&store.path(), &["list"]).contains("revoked"));
    assert_eq!(admin(&["keys", "revoke", "x", "--file", &store.setting()]).status.code(), Some(1));
    shop.stop().await;
}

#[tokio::test]
async fn one_idempotency_key_of_two_callers_means_two_commands() {
    let mut store = Keys::empty();
    let callers = [store.add(&[Writer]), store.add(&[Writer])];
    let shop = Shop::start_with(&[("AUTH", "on"), ("API_KEYS_FILE", &store.setting())]).await;
    let url = format!("http://{}/api/products", shop.command.address("api").await);
    let create = async |key: &String| {
        let body = r#"{"name":"Tea","category":"Tea","price":5}"#;
        let request = json(&client(), Method::POST, url.clone(), body);
        let request = request.header("x-api-key", key).header("idempotency-key", "k");
        let created = Response::to(request).await.unwrap();
        assert_eq!(created.status, 201, "{}", created.text);
        created.integer("productId")
    };
    let [first, second] = [create(&callers[0]).await, create(&callers[1]).await];
    assert_ne!(first, second);
    assert_eq!([create(&callers[0]).await, create(&callers[1]).await], [first, second]);
    shop.stop().await;
}

#[tokio::test]
async fn operators_tools_call_with_a_key() {
    let mut store = Keys::empty();
    let (clients, operators) = (store.add(&[Reader, Writer]), store.add(&[Admin]));
    let shop = Shop::start_with(&[("AUTH", "on"), ("API_KEYS_FILE", &store.setting())]).await;
    let at = async |service: &Service, server| format!("http://{}", service.address(server).await);
    let (command, query) = (at(&shop.command, "api").await, at(&shop.query, "api").await);
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

    let operations = at(&shop.command, "operations").await;
    let replay = ["replay", "--all", "--url", &operations, "--api-key"];
    let replayed = |key| admin(&[&replay[..], &[key]].concat());
    assert!(replayed(&operators).status.success());
    let refused = replayed(&clients);
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && text.contains("needs the role admin"), "{text}");
    let letters = ["dead-letters", "list", "--url", &at(&shop.consumer, "operations").await];
    let listed = admin(&[&letters[..], &["--api-key", &operators]].concat());
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    assert!(!admin(&letters).status.success());
    shop.stop().await;
}
