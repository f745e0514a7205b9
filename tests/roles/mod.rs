//! With `AUTH=on` every route requires its role: a table of every route by every state of a
//! credential.

mod states;
mod tokens;

use crate::harness::{Keys, Response, Service, Shop, client};
use access::Role::Admin;
use futures::future::join_all;
use reqwest::Method;
use states::Who;
use std::collections::HashMap;
use std::fs;
use system_tests::routes::Need::{self, Any, One, Open};
use system_tests::routes::{Port, ROUTES};
pub use tokens::Signer;
use tokens::{AUDIENCE, ISSUER, SECRET};

/// A shop with `AUTH=on`.
pub async fn shop_with_credentials(keys: &Keys, signer: &Signer) -> Shop {
    let key_set = keys.folder().join("jwks.json");
    fs::write(&key_set, serde_json::to_string(&signer.key_set()).unwrap()).unwrap();
    Shop::start_with(&[
        ("AUTH", "on"),
        ("API_KEYS_FILE", &keys.setting()),
        ("JWT_SECRET", SECRET),
        ("JWT_JWKS_FILE", key_set.to_str().unwrap()),
        ("JWT_ISSUER", ISSUER),
        ("JWT_AUDIENCE", AUDIENCE),
        // So that each state can come from an address of its own: bad credentials from
        // one address are refused after a while whatever they are.
        ("TRUSTED_PROXIES", "127.0.0.1"),
    ])
    .await
}

/// The URL of a port.
async fn url(port: Port, shop: &Shop) -> String {
    let (service, server): (&Service, _) = match port {
        Port::Command => (&shop.command, "api"),
        Port::Query => (&shop.query, "api"),
        Port::CommandOperations => (&shop.command, "operations"),
        Port::QueryOperations => (&shop.query, "operations"),
        Port::ConsumerOperations => (&shop.consumer, "operations"),
    };
    format!("http://{}", service.address(server).await)
}

/// What is wrong with the response to a request, if anything is.
fn wrong(need: Need, who: &Who, response: &Response) -> Option<String> {
    let challenge = response.headers.get("www-authenticate").and_then(|value| value.to_str().ok());
    let refused = |status, error, beginning: Option<&str>| {
        let as_told = match (challenge, beginning) {
            (Some(challenge), Some(beginning)) => challenge.starts_with(beginning),
            (None, None) => true,
            _ => false,
        };
        // The response to HEAD has no body.
        let named = response.text.is_empty() || response.error() == error;
        response.status == status && as_told && named
    };
    let fits = match (need, who) {
        (One(_) | Any, Who::Nobody) => refused(401, "Unauthorized", Some("Bearer")),
        (One(_) | Any, Who::Stranger) => {
            refused(401, "Unauthorized", Some("Bearer error=\"invalid_token\""))
        }
        (One(_) | Any, Who::Two) => refused(400, "Ambiguous credentials", None),
        (One(role), Who::Caller(roles)) if !roles.contains(&role) && !roles.contains(&Admin) => {
            let scope = format!("Bearer error=\"insufficient_scope\", scope=\"{role}\"");
            refused(403, "Forbidden", Some(&scope))
        }
        (Any, Who::Caller(_)) => matches!(response.status, 404 | 405),
        (Open, _) => response.status == 200,
        (One(_), Who::Caller(_)) => {
            response.status < 500 && !matches!(response.status, 401 | 403 | 405 | 429)
        }
    };
    // Nobody else may be given it by a cache on the way.
    let is_kept = response.headers["cache-control"] != "no-store" && !matches!(need, Open);
    (!fits || is_kept).then(|| format!("{} {challenge:?} {}", response.status, response.text))
}

#[tokio::test]
async fn every_route_by_every_state_of_a_credential() {
    let (mut keys, signer) = (Keys::empty(), Signer::new());
    let states = states::all(&mut keys, &signer);
    let shop = shop_with_credentials(&keys, &signer).await;
    let urls = join_all(Port::ALL.map(async |port| (port, url(port, &shop).await))).await;
    let urls: HashMap<Port, String> = urls.into_iter().collect();
    let client = client();
    let faults = join_all(states.iter().enumerate().map(async |(index, state)| {
        let mut faults = Vec::new();
        for (port, method, path, need) in ROUTES {
            let with = Method::from_bytes(method.as_bytes()).unwrap();
            let mut request = client
                .request(with, format!("{}{path}", urls[port]))
                .header("x-forwarded-for", format!("10.0.0.{index}"))
                .header("content-type", "application/json")
                .body(if *method == "GET" { "" } else { "{}" });
            for (name, value) in &state.headers {
                request = request.header(*name, value);
            }
            let response = Response::to(request).await.unwrap();
            if let Some(wrong) = wrong(*need, &state.who, &response) {
                faults.push(format!("{}: {port:?} {method} {path}: {wrong}", state.name));
            }
        }
        faults
    }))
    .await;
    let faults = faults.concat();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    println!("{} routes by {} states of a credential", ROUTES.len(), states.len());
    shop.stop().await;
}
