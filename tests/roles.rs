//! With `AUTH=on` nobody gets anywhere without the role that it takes: a table of every
//! route by every state of a credential.

use crate::harness::{Answer, Keys, Service, Shop, client};
use access::Role::{Admin, Reader, Writer};
use access::{ApiKey, Role};
use futures::future::join_all;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;

/// A port of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    Command,
    Query,
    CommandOperations,
    QueryOperations,
    ConsumerOperations,
}

/// What a route asks for.
#[derive(Clone, Copy, Debug)]
enum Need {
    /// Nothing.
    Open,
    /// Any credential, only to be told that there is nothing.
    Any,
    /// A role.
    One(Role),
}

use Need::{Any, One, Open};
use Port::{Command, CommandOperations, ConsumerOperations, Query, QueryOperations};

const ROUTES: &[(Port, &str, &str, Need)] = &[
    (Command, "POST", "/api/products", One(Writer)),
    (Command, "PUT", "/api/products/1", One(Writer)),
    (Command, "PUT", "/api/products/1/price", One(Writer)),
    (Command, "POST", "/api/orders", One(Writer)),
    (Command, "PUT", "/api/orders/1/status", One(Writer)),
    (Command, "POST", "/api/users", One(Writer)),
    (Command, "PATCH", "/api/users/1", One(Writer)),
    (Command, "POST", "/api/accounts", One(Writer)),
    (Command, "GET", "/health", Open),
    (Command, "GET", "/openapi.json", Open),
    (Command, "GET", "/docs", Open),
    (Command, "GET", "/docs/swagger-ui.css", Open),
    (Command, "GET", "/api/products", Any),
    (Command, "POST", "/api/nothing", Any),
    (Command, "GET", "/", Any),
    (Command, "GET", "/metrics", Any),
    (Command, "GET", "/admin/replay", Any),
    (Command, "POST", "/admin/replay", Any),
    (Query, "GET", "/api/analytics/products/1/sales", One(Reader)),
    (Query, "GET", "/api/analytics/categories/Tea/revenue", One(Reader)),
    (Query, "GET", "/api/analytics/customers/1/lifetime-value", One(Reader)),
    (Query, "GET", "/api/analytics/hourly-sales", One(Reader)),
    (Query, "GET", "/api/analytics/sync-status", One(Reader)),
    (Query, "GET", "/api/analytics/topology", One(Reader)),
    (Query, "GET", "/sync-status", One(Reader)),
    (Query, "GET", "/api/products", One(Reader)),
    (Query, "HEAD", "/api/products", One(Reader)),
    (Query, "GET", "/api/products/1", One(Reader)),
    (Query, "GET", "/api/orders", One(Reader)),
    (Query, "GET", "/api/orders/1", One(Reader)),
    (Query, "GET", "/api/users", One(Reader)),
    (Query, "GET", "/api/users/1", One(Reader)),
    (Query, "GET", "/api/invoices", One(Reader)),
    (Query, "GET", "/health", Open),
    (Query, "GET", "/openapi.json", Open),
    (Query, "GET", "/docs", Open),
    (Query, "GET", "/docs/swagger-ui.css", Open),
    (Query, "POST", "/api/orders", Any),
    (Query, "GET", "/api/nothing", Any),
    (Query, "GET", "/metrics", Any),
    (Query, "GET", "/admin/dead-letters", Any),
    (CommandOperations, "GET", "/health", Open),
    (CommandOperations, "GET", "/metrics", Open),
    (CommandOperations, "GET", "/admin/replay", One(Admin)),
    (CommandOperations, "POST", "/admin/replay?from=2026-01-01", One(Admin)),
    (CommandOperations, "GET", "/admin", Any),
    (CommandOperations, "POST", "/api/products", Any),
    (QueryOperations, "GET", "/health", Open),
    (QueryOperations, "GET", "/metrics", Open),
    (QueryOperations, "GET", "/api/products", Any),
    (ConsumerOperations, "GET", "/health", Open),
    (ConsumerOperations, "GET", "/metrics", Open),
    (ConsumerOperations, "GET", "/admin/dead-letters", One(Admin)),
    (ConsumerOperations, "GET", "/admin/dead-letters/1", One(Admin)),
    (ConsumerOperations, "DELETE", "/admin/dead-letters/1", One(Admin)),
    (ConsumerOperations, "POST", "/admin/dead-letters/1/redrive", One(Admin)),
    (ConsumerOperations, "PUT", "/admin/dead-letters/1", Any),
];

/// Who is behind a credential.
#[derive(Clone, Debug)]
enum Who {
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
struct State {
    name: String,
    headers: Vec<(&'static str, String)>,
    who: Who,
}

const SECRET: &str = "of nobody, and more than thirty-two bytes";
const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "shop";

/// Signs tokens.
struct Signer {
    secret: EncodingKey,
    rsa: EncodingKey,
    p256: EncodingKey,
}

impl Signer {
    fn new() -> Self {
        Self {
            secret: EncodingKey::from_secret(SECRET.as_bytes()),
            rsa: EncodingKey::from_rsa_der(include_bytes!("credentials/rsa.pkcs1.der")),
            p256: EncodingKey::from_ec_der(include_bytes!("credentials/p256.pkcs8.der")),
        }
    }

    /// Public keys of `rsa` and `p256`, by these names.
    fn key_set(&self) -> JwkSet {
        let key = |id: &str, key, algorithm| {
            let mut key = Jwk::from_encoding_key(key, algorithm).unwrap();
            key.common.key_id = Some(id.to_owned());
            key
        };
        let rsa = key("rsa", &self.rsa, Algorithm::RS256);
        JwkSet { keys: vec![rsa, key("p256", &self.p256, Algorithm::ES256)] }
    }

    /// A token that is good, but for the changes; a claim that becomes null is left out.
    fn token(&self, algorithm: Algorithm, kid: Option<&str>, changes: Value) -> String {
        let key = match algorithm {
            Algorithm::RS256 | Algorithm::RS384 | Algorithm::PS256 => &self.rsa,
            Algorithm::ES256 => &self.p256,
            _ => &self.secret,
        };
        signed(algorithm, kid, key, changes)
    }
}

fn signed(algorithm: Algorithm, kid: Option<&str>, key: &EncodingKey, changes: Value) -> String {
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": get_current_timestamp() + 3600,
        "nbf": get_current_timestamp() - 10, "roles": ["admin"],
    });
    let claims = claims.as_object_mut().unwrap();
    claims.extend(changes.as_object().unwrap().clone());
    claims.retain(|_, value| !value.is_null());
    let mut header = Header::new(algorithm);
    header.kid = kid.map(str::to_owned);
    encode(&header, &claims, key).unwrap()
}

/// A token with the signature of another.
fn with_signature_of(token: &str, other: &str) -> String {
    let (message, _) = token.rsplit_once('.').unwrap();
    let (_, signature) = other.rsplit_once('.').unwrap();
    format!("{message}.{signature}")
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

/// A shop with `AUTH=on`, and where its ports are.
async fn open(keys: &Keys, signer: &Signer) -> (Shop, [(Port, String); 5]) {
    let key_set = keys.folder().join("jwks.json");
    fs::write(&key_set, serde_json::to_string(&signer.key_set()).unwrap()).unwrap();
    let shop = Shop::open_with(&[
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
    .await;
    let at = async |service: &Service, server| format!("http://{}", service.address(server).await);
    let ports = [
        (Command, at(&shop.command, "api").await),
        (Query, at(&shop.query, "api").await),
        (CommandOperations, at(&shop.command, "operations").await),
        (QueryOperations, at(&shop.query, "operations").await),
        (ConsumerOperations, at(&shop.consumer, "operations").await),
    ];
    (shop, ports)
}

/// What is wrong with the answer to a request, if anything is.
fn wrong(need: Need, who: &Who, answer: &Answer) -> Option<String> {
    let challenge = answer.headers.get("www-authenticate").and_then(|value| value.to_str().ok());
    let refused = |status, error, beginning: Option<&str>| {
        let as_told = match (challenge, beginning) {
            (Some(challenge), Some(beginning)) => challenge.starts_with(beginning),
            (None, None) => true,
            _ => false,
        };
        // The answer to HEAD has no body.
        let named = answer.text.is_empty() || answer.error() == error;
        answer.status == status && as_told && named
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
        (Any, Who::Caller(_)) => matches!(answer.status, 404 | 405),
        (Open, _) => answer.status == 200,
        (One(_), Who::Caller(_)) => {
            answer.status < 500 && !matches!(answer.status, 401 | 403 | 405 | 429)
        }
    };
    (!fits).then(|| format!("{} {challenge:?} {}", answer.status, answer.text))
}

#[tokio::test]
async fn every_route_by_every_state_of_a_credential() {
    let (mut keys, signer) = (Keys::none(), Signer::new());
    let mut states = states_of_keys(&mut keys);
    states.extend(states_of_tokens(&signer));
    states.push(State { name: "nothing".to_owned(), headers: Vec::new(), who: Who::Nobody });
    let (shop, ports) = open(&keys, &signer).await;
    let client = client();
    let faults = join_all(states.iter().enumerate().map(async |(index, state)| {
        let mut faults = Vec::new();
        for (port, method, path, need) in ROUTES {
            let (_, url) = ports.iter().find(|(at, _)| at == port).unwrap();
            let method_of = Method::from_bytes(method.as_bytes()).unwrap();
            let mut request = client
                .request(method_of, format!("{url}{path}"))
                .header("x-forwarded-for", format!("10.0.0.{index}"))
                .header("content-type", "application/json")
                .body(if *method == "GET" { "" } else { "{}" });
            for (name, value) in &state.headers {
                request = request.header(*name, value);
            }
            let answer = Answer::to(request).await.unwrap();
            if let Some(wrong) = wrong(*need, &state.who, &answer) {
                faults.push(format!("{}: {port:?} {method} {path}: {wrong}", state.name));
            }
        }
        faults
    }))
    .await;
    let faults = faults.concat();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    println!("{} routes by {} states of a credential", ROUTES.len(), states.len());
    shop.close().await;
}

#[test]
fn the_table_leaves_out_no_route() {
    let collection = include_str!("postman/shop-analytics.postman_collection.json");
    let mut requests = Vec::new();
    collect(&serde_json::from_str(collection).unwrap(), &mut requests);
    assert!(requests.len() > 30, "{requests:?}");
    for (method, url) in requests {
        let (port, path) = match url.split_once("}}") {
            Some(("{{commandUrl", path)) => (Command, path),
            Some(("{{queryUrl", path)) => (Query, path),
            _ => continue,
        };
        let listed = |(at, with, to, _): &(Port, &str, &str, Need)| {
            *at == port && *with == method && is_alike(to, path)
        };
        assert!(ROUTES.iter().any(listed), "{method} {url} is not in the table");
    }
    for (port, source) in [
        (CommandOperations, include_str!("../command-service/src/outbox/admin.rs")),
        (ConsumerOperations, include_str!("../consumer-service/src/dead_letters/admin.rs")),
    ] {
        for route in source.split(".route(\"").skip(1) {
            let (path, handlers) = route.split_once('"').unwrap();
            let handlers = handlers.lines().next().unwrap();
            for method in ["get", "post", "put", "patch", "delete"] {
                let named = [" ", "."].iter().any(|c| handlers.contains(&format!("{c}{method}(")));
                let listed = |(at, with, to, need): &(Port, &str, &str, Need)| {
                    *at == port
                        && with.eq_ignore_ascii_case(method)
                        && matches!(need, One(Admin))
                        && is_alike(to, path)
                };
                assert!(!named || ROUTES.iter().any(listed), "{method} {path} is not in the table");
            }
        }
    }
}

/// Methods and URLs of all requests in an item of a collection.
fn collect(item: &Value, requests: &mut Vec<(String, String)>) {
    let (method, url) = (&item["request"]["method"], &item["request"]["url"]);
    if let (Some(method), Some(url)) = (method.as_str(), url.as_str().or(url["raw"].as_str())) {
        requests.push((method.to_owned(), url.to_owned()));
    }
    item["item"].as_array().into_iter().flatten().for_each(|below| collect(below, requests));
}

/// Whether two paths are of one pattern: where one has a number, a name of a variable
/// or a category, so may the other.
fn is_alike(listed: &str, path: &str) -> bool {
    let parts = |path: &str| -> Vec<String> {
        path.split('?').next().unwrap().split('/').map(str::to_owned).collect()
    };
    let (listed, path) = (parts(listed), parts(path));
    listed.len() == path.len()
        && listed.iter().zip(&path).all(|(listed, part)| {
            listed == part || ["1", "Tea", "swagger-ui.css"].contains(&listed.as_str())
        })
}
