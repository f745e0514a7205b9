//! Every state that a credential can be in.

use super::tokens::{Signer, signed, with_signature_of};
use crate::harness::Keys;
use access::Role::{Admin, Reader, Writer};
use access::{ApiKey, Role};
use jsonwebtoken::{Algorithm, EncodingKey, get_current_timestamp};
use serde_json::json;

/// Who is behind a credential.
#[derive(Clone, Debug)]
pub enum Who {
    /// There is none.
    Nobody,
    /// It is not accepted.
    Stranger,
    /// It is two.
    Two,
    /// A caller with these roles.
    Caller(Vec<Role>),
}

/// A state of a credential: what it is called, what is sent, and who that is.
#[derive(Debug)]
pub struct State {
    pub name: String,
    pub headers: Vec<(&'static str, String)>,
    pub who: Who,
}

/// All, each with a key or token of its own.
pub fn all(keys: &mut Keys, signer: &Signer) -> Vec<State> {
    let mut states = states_of_keys(keys);
    states.extend(states_of_tokens(signer));
    states.push(State { name: "nothing".to_owned(), headers: Vec::new(), who: Who::Nobody });
    states
}

fn state(name: &str, header: &'static str, value: String, who: Who) -> State {
    State { name: name.to_owned(), headers: vec![(header, value)], who }
}

fn bearer(name: &str, credential: &str, who: Who) -> State {
    state(name, "authorization", format!("Bearer {credential}"), who)
}

/// API keys in every state.
fn states_of_keys(keys: &mut Keys) -> Vec<State> {
    let mut states = Vec::new();
    for roles in [&[Reader][..], &[Writer], &[Admin], &[Reader, Writer]] {
        let who = Who::Caller(roles.to_vec());
        let key = keys.add(roles);
        states.push(state(&format!("key {roles:?}"), "x-api-key", key.clone(), who.clone()));
        states.push(bearer(&format!("bearer key {roles:?}"), &key, who));
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
        ("key cut short", admin[..40].to_owned()),
        ("key with more behind", format!("{admin}0")),
        ("key in capitals", admin.to_uppercase()),
        ("key that is none", "let me in".to_owned()),
        ("key that is empty", String::new()),
    ] {
        states.push(state(name, "x-api-key", key, Who::Stranger));
    }
    let other = keys.add(&[Admin]);
    states.push(state("basic", "authorization", "Basic dXNlcjpwYXNz".to_owned(), Who::Stranger));
    states.push(state("key alone", "authorization", other.clone(), Who::Stranger));
    states.push(State {
        name: "two keys".to_owned(),
        headers: vec![("x-api-key", admin), ("authorization", format!("Bearer {other}"))],
        who: Who::Two,
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
            states.push(bearer(&name, &token, Who::Caller(roles.to_vec())));
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
            states.push(bearer(&format!("{algorithm:?} {what}"), &token, Who::Stranger));
        }
        let (reader, admin) = (json!({"roles": "reader"}), json!({"roles": "admin"}));
        let reader = signer.token(algorithm, kid, reader);
        let forged = with_signature_of(&signer.token(algorithm, kid, admin), &reader);
        states.push(bearer(&format!("{algorithm:?} with new claims"), &forged, Who::Stranger));
    }
    let text = signer.token(Algorithm::HS256, None, json!({"roles": "reader writer"}));
    states.push(bearer("roles as a text", &text, Who::Caller(vec![Reader, Writer])));
    states.extend(
        bad_signatures(signer).into_iter().map(|(name, token)| bearer(name, &token, Who::Stranger)),
    );
    states
}

/// Tokens whose signature is not to be believed.
fn bad_signatures(signer: &Signer) -> Vec<(&'static str, String)> {
    let good = signer.token(Algorithm::HS256, None, json!({}));
    let (_, claims) = good.split_once('.').unwrap();
    let (claims, _) = claims.split_once('.').unwrap();
    // {"alg":"none","typ":"JWT"}
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.");
    let other = EncodingKey::from_secret(b"another secret of more than thirty-two bytes");
    // What everybody can read, taken for a secret.
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
        ("no token", "a.b.c".to_owned()),
        ("half a token", good[..good.len() / 2].to_owned()),
        ("an empty token", String::new()),
        ("a token too long", "x".repeat(10_000)),
    ]
}
