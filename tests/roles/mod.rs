//! With `AUTH=on` every route requires its role, in every state of a credential.

mod states;
mod tokens;

use crate::harness::{Keys, Response, Service, Shop, client};
use access::Role::Admin;
use futures::future::join_all;
use states::Caller;
use std::collections::HashMap;
use std::fs;
use system_tests::openapi::Port;
use system_tests::routes::{Access, Route, routes};
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
        // Each state is sent from an address of its own, because repeated invalid
        // credentials from one address are refused with 429.
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

/// The fault of a response, if it has one.
fn fault(access: Access, caller: &Caller, response: &Response) -> Option<String> {
    let challenge = response.headers.get("www-authenticate").and_then(|value| value.to_str().ok());
    let refused = |status, error, challenge_start: Option<&str>| {
        let has_challenge = match (challenge, challenge_start) {
            (Some(challenge), Some(start)) => challenge.starts_with(start),
            (None, None) => true,
            _ => false,
        };
        // The response to HEAD has no body.
        let has_error = response.text.is_empty() || response.error() == error;
        response.status == status && has_challenge && has_error
    };
    let is_expected = match (access, caller) {
        (Access::Open, _) => response.status == 200,
        (_, Caller::Anonymous) => refused(401, "Unauthorized", Some("Bearer")),
        (_, Caller::Invalid) => {
            refused(401, "Unauthorized", Some("Bearer error=\"invalid_token\""))
        }
        (_, Caller::Ambiguous) => refused(400, "Ambiguous credentials", None),
        (Access::Role(role), Caller::Valid(roles))
            if !roles.contains(&role) && !roles.contains(&Admin) =>
        {
            let scope = format!("Bearer error=\"insufficient_scope\", scope=\"{role}\"");
            refused(403, "Forbidden", Some(&scope))
        }
        (Access::Role(_), Caller::Valid(_)) => {
            response.status < 500 && !matches!(response.status, 401 | 403 | 405 | 429)
        }
        (Access::Authenticated, Caller::Valid(_)) => matches!(response.status, 404 | 405),
    };
    // A shared cache must not return the response to another caller.
    let is_cacheable = response.headers["cache-control"] != "no-store";
    let is_faulty = !is_expected || (is_cacheable && !matches!(access, Access::Open));
    is_faulty.then(|| format!("{} {challenge:?} {}", response.status, response.text))
}

#[tokio::test]
async fn every_route_requires_its_role_in_every_state_of_a_credential() {
    let (mut keys, signer) = (Keys::empty(), Signer::new());
    let states = states::all(&mut keys, &signer);
    let shop = shop_with_credentials(&keys, &signer).await;
    let urls = join_all(Port::ALL.map(async |port| (port, url(port, &shop).await))).await;
    let urls: HashMap<Port, String> = urls.into_iter().collect();
    let (client, routes) = (client(), routes());
    let faults = join_all(states.iter().enumerate().map(async |(index, state)| {
        let mut faults = Vec::new();
        for Route { port, method, path, access } in &routes {
            let mut request = client
                .request(method.parse().unwrap(), format!("{}{path}", urls[port]))
                .header("x-forwarded-for", format!("10.0.0.{index}"))
                .header("content-type", "application/json")
                .body(if method == "GET" { "" } else { "{}" });
            for (name, value) in &state.headers {
                request = request.header(*name, value);
            }
            let response = Response::to(request).await.unwrap();
            if let Some(fault) = fault(*access, &state.caller, &response) {
                faults.push(format!("{}: {port:?} {method} {path}: {fault}", state.name));
            }
        }
        faults
    }))
    .await;
    let faults = faults.concat();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    println!("{} routes by {} states of a credential", routes.len(), states.len());
    shop.stop().await;
}
