//! The states of a credential.

use super::tokens::{Signer, signed, with_signature_of};
use crate::harness::Keys;
use access::Role::{Admin, Reader, Writer};
use access::{ApiKey, Role};
use jsonwebtoken::{Algorithm, EncodingKey, get_current_timestamp};
use serde_json::json;

/// The caller that a service finds in a request.
#[derive(Clone, Debug)]
pub enum Caller {
    /// The request has no credential.
    Anonymous,
    /// The credential is not valid.
    Invalid,
    /// The request has two credentials.
    Ambiguous,
    /// The credential is valid and has these roles.
    Valid(Vec<Role>),
}

/// A state of a credential: its name, the headers of a request, and the caller.
#[derive(Debug)]
pub struct State {
    pub name: String,
    pub headers: Vec<(&'static str, String)>,
    pub caller: Caller,
}

/// All states, each with its own key or token.
pub fn all(keys: &mut Keys, signer: &Signer) -> Vec<State> {
    let mut states = states_of_keys(keys);
    states.extend(states_of_tokens(signer));
    states.push(State {
        name: "no credential".to_owned(),
        headers: Vec::new(),
        caller: Caller::Anonymous,
    });
    states
}

fn state(name: &str, header: &'static str, value: String, caller: Caller) -> State {
    State { name: name.to_owned(), headers: vec![(header, value)], caller }
}

fn bearer(name: &str, credential: &str, caller: Caller) -> State {
    state(name, "authorization", format!("Bearer {credential}"), caller)
}

/// API keys in every state.
fn states_of_keys(keys: &mut Keys) -> Vec<State> {
    let mut states = Vec::new();
    for roles in [&[Reader][..], &[Writer], &[Admin], &[Reader, Writer]] {
        let caller = Caller::Valid(roles.to_vec());
        let key = keys.add(roles);
        states.push(state(&format!("key {roles:?}"), "x-api-key", key.clone(), caller.clone()));
        states.push(bearer(&format!("bearer key {roles:?}"), &key, caller));
    }
    let admin = keys.add(&[Admin]);
    let last = if admin.ends_with('0') { '1' } else { '0' };
    let wrong_secret = format!("{}{last}", &admin[..admin.len() - 1]);
    let unknown = ApiKey::generate().unwrap().reveal().to_owned();
    for (name, key) in [
        ("key expired", keys.add_expired(&[Admin])),
        ("key revoked", keys.add_revoked(&[Admin])),
        ("key unknown", unknown),
        ("key with a wrong secret", wrong_secret),
        ("truncated key", admin[..40].to_owned()),
        ("key with one more character", format!("{admin}0")),
        ("key in capitals", admin.to_uppercase()),
        ("malformed key", "let me in".to_owned()),
        ("empty key", String::new()),
    ] {
        states.push(state(name, "x-api-key", key, Caller::Invalid));
    }
    let other = keys.add(&[Admin]);
    states.push(state(
        "basic authentication",
        "authorization",
        "Basic dXNlcjpwYXNz".to_owned(),
        Caller::Invalid,
    ));
    states.push(state("key without a scheme", "authorization", other.clone(), Caller::Invalid));
    states.push(State {
        name: "two keys".to_owned(),
        headers: vec![("x-api-key", admin), ("authorization", format!("Bearer {other}"))],
        caller: Caller::Ambiguous,
    });
    states
}

/// Tokens in every state.
fn states_of_tokens(signer: &Signer) -> Vec<State> {
    let mut states = Vec::new();
    let good = [
        (Algorithm::HS256, None),
        (Algorithm::RS256, Some("rsa")),
        (Algorithm::ES256, Some("p256")),
    ];
    for (algorithm, kid) in good {
        for roles in [&[][..], &[Reader], &[Writer], &[Admin]] {
            let token = signer.token(algorithm, kid, json!({"roles": roles}));
            let name = format!("{algorithm:?} {roles:?}");
            states.push(bearer(&name, &token, Caller::Valid(roles.to_vec())));
        }
        let now = get_current_timestamp();
        for (what, changes) in [
            ("expired", json!({"exp": now - 60})),
            ("without exp", json!({"exp": null})),
            ("not valid yet", json!({"nbf": now + 600})),
            ("without sub", json!({"sub": null})),
            ("of another issuer", json!({"iss": "https://other.example"})),
            ("without issuer", json!({"iss": null})),
            ("for another audience", json!({"aud": "bank"})),
            ("without audience", json!({"aud": null})),
        ] {
            let token = signer.token(algorithm, kid, changes);
            states.push(bearer(&format!("{algorithm:?} {what}"), &token, Caller::Invalid));
        }
        let (reader, admin) = (json!({"roles": "reader"}), json!({"roles": "admin"}));
        let reader = signer.token(algorithm, kid, reader);
        let forged = with_signature_of(&signer.token(algorithm, kid, admin), &reader);
        states.push(bearer(
            &format!("{algorithm:?} with the claims of another token"),
            &forged,
            Caller::Invalid,
        ));
    }
    let text = signer.token(Algorithm::HS256, None, json!({"roles": "reader writer"}));
    states.push(bearer("roles as a string", &text, Caller::Valid(vec![Reader, Writer])));
    states.extend(
        bad_signatures(signer)
            .into_iter()
            .map(|(name, token)| bearer(name, &token, Caller::Invalid)),
    );
    states
}

/// Tokens with an invalid signature.
fn bad_signatures(signer: &Signer) -> Vec<(&'static str, String)> {
    let good = signer.token(Algorithm::HS256, None, json!({}));
    let (_, claims) = good.split_once('.').unwrap();
    let (claims, _) = claims.split_once('.').unwrap();
    // {"alg":"none","typ":"JWT"}
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.");
    let other = EncodingKey::from_secret(b"another secret of more than thirty-two bytes");
    // The public key as the secret of HS256.
    let public = serde_json::to_value(signer.key_set()).unwrap();
    let public = EncodingKey::from_secret(public["keys"][0]["n"].as_str().unwrap().as_bytes());
    let token = |algorithm, kid| signer.token(algorithm, kid, json!({}));
    vec![
        ("alg none", none.clone()),
        ("alg none with a signature", with_signature_of(&format!("{none}x"), &good)),
        ("HS256 by another secret", signed(Algorithm::HS256, None, &other, json!({}))),
        ("HS256 by the public key", signed(Algorithm::HS256, Some("rsa"), &public, json!({}))),
        ("HS384 by the secret", token(Algorithm::HS384, None)),
        ("RS384 by the key of RS256", token(Algorithm::RS384, Some("rsa"))),
        ("PS256 by the key of RS256", token(Algorithm::PS256, Some("rsa"))),
        ("ES256 by the key of RS256", token(Algorithm::ES256, Some("rsa"))),
        ("RS256 by the key of ES256", token(Algorithm::RS256, Some("p256"))),
        ("RS256 by an unknown key", token(Algorithm::RS256, Some("other"))),
        ("RS256 without a key", token(Algorithm::RS256, None)),
        ("malformed token", "a.b.c".to_owned()),
        ("truncated token", good[..good.len() / 2].to_owned()),
        ("empty token", String::new()),
        ("oversized token", "x".repeat(10_000)),
    ]
}
