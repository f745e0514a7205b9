//! The requests of the collection and their scripts. Parts of Postman's format that are
//! unknown here are errors, so that none is left out by mistake.

use serde::Deserialize;
use serde::de::IgnoredAny;

const COLLECTION: &str = include_str!("shop-analytics.postman_collection.json");

/// Prefix of the gateway's own paths.
const OF_THE_GATEWAY: &str = "/gateway/";
/// Prefix of the paths at which the gateway serves the document of the command service.
const OF_COMMANDS: &str = "/command/";
/// Prefixes that the gateway replaces.
const PREFIXES: [(&str, &str); 3] =
    [("/system-api/", "/api/"), ("/order-service/", "/api/"), ("/invoice-service/", "/api/")];

/// The collection.
#[derive(Debug)]
pub struct Collection {
    /// Scripts that run with every request, before the scripts of the request.
    pub scripts: Vec<Script>,
    /// Its requests in order.
    pub requests: Vec<Request>,
}

/// A request. Its texts may contain variables such as `{{userId}}`.
#[derive(Debug)]
pub struct Request {
    /// Its id, by which scripts know it.
    pub id: String,
    /// Its name in the collection.
    pub name: String,
    /// Method.
    pub method: String,
    /// URL.
    pub url: String,
    /// Headers.
    pub headers: Vec<Header>,
    /// Body.
    pub body: Option<String>,
    /// User and password for basic authentication.
    pub login: Option<(String, String)>,
    /// Its scripts.
    pub scripts: Vec<Script>,
}

/// A header of a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// A script.
#[derive(Clone, Debug)]
pub struct Script {
    /// The name of the request, or `collection`, and the phase.
    pub name: String,
    /// When it runs.
    pub phase: Phase,
    /// JavaScript.
    pub code: String,
}

/// When a script runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Before the request.
    PreRequest,
    /// After the response.
    Test,
}

impl Collection {
    /// Reads the collection.
    pub fn read() -> Self {
        let root: Root = serde_json::from_str(COLLECTION).unwrap();
        let mut requests = Vec::new();
        add_requests(root.item, None, &mut requests);
        Self { scripts: scripts("collection", root.event), requests }
    }
}

impl Request {
    /// The URL at the service to which the gateway would send the request, by the rules of
    /// `deploy/gateway/nginx.conf`; or its own URL if that is not the gateway's. None if the
    /// gateway responds to it itself.
    pub fn direct_url(&self) -> Option<String> {
        let Some(path) = self.url.strip_prefix("{{gatewayUrl}}") else {
            return Some(self.url.clone());
        };
        if path.starts_with(OF_THE_GATEWAY) {
            return None;
        }
        if let Some(document) = path.strip_prefix(OF_COMMANDS) {
            return Some(format!("{{{{commandUrl}}}}/{document}"));
        }
        let is_read = ["GET", "HEAD"].contains(&&*self.method);
        let service = if is_read { "{{queryUrl}}" } else { "{{commandUrl}}" };
        let replaced = PREFIXES.iter().find_map(|(prefix, replacement)| {
            path.strip_prefix(prefix).map(|rest| format!("{service}{replacement}{rest}"))
        });
        Some(replaced.unwrap_or_else(|| format!("{service}{path}")))
    }
}

/// Adds the requests in items and in the folders among them.
fn add_requests(items: Vec<Item>, login: Option<&(String, String)>, requests: &mut Vec<Request>) {
    for item in items {
        let login = item.auth.as_ref().map(Auth::login).or(login.cloned());
        let scripts = scripts(&item.name, item.event);
        let Some(sent) = item.request else {
            assert!(scripts.is_empty(), "not supported: scripts of the folder {}", item.name);
            add_requests(item.item, login.as_ref(), requests);
            continue;
        };
        requests.push(Request {
            id: item.id,
            name: item.name,
            method: sent.method,
            url: match sent.url {
                Url::Text(raw) | Url::Parts { raw } => raw,
            },
            headers: sent.header,
            body: sent.body.map(|body| body.raw),
            login,
            scripts,
        });
    }
}

fn scripts(owner: &str, events: Vec<Event>) -> Vec<Script> {
    let script = |Event { listen: phase, script }: Event| Script {
        name: format!("{owner}, {}", if phase == Phase::Test { "test" } else { "pre-request" }),
        phase,
        code: script.exec.join("\n"),
    };
    events.into_iter().map(script).collect()
}

// Postman's format, https://schema.postman.com/collection/json/v2.1.0/draft-07/docs/

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Root {
    #[serde(rename = "info")]
    _info: IgnoredAny,
    item: Vec<Item>,
    event: Vec<Event>,
}

/// A folder or a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    id: String,
    name: String,
    #[serde(rename = "description")]
    _description: Option<IgnoredAny>,
    auth: Option<Auth>,
    #[serde(default)]
    event: Vec<Event>,
    #[serde(default)]
    item: Vec<Item>,
    request: Option<Sent>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    method: String,
    url: Url,
    header: Vec<Header>,
    body: Option<Body>,
    #[serde(rename = "description")]
    _description: Option<IgnoredAny>,
}

/// Postman itself exports an object.
#[derive(Deserialize)]
#[serde(untagged)]
enum Url {
    Text(String),
    Parts { raw: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(rename = "mode")]
    _mode: Mode,
    raw: String,
    #[serde(rename = "options")]
    _options: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Raw,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    listen: Phase,
    script: Code,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    exec: Vec<String>,
    #[serde(rename = "type")]
    _kind: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Auth {
    #[serde(rename = "type")]
    _kind: AuthKind,
    basic: Vec<Attribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum AuthKind {
    Basic,
}

#[derive(Deserialize)]
struct Attribute {
    key: String,
    value: String,
}

impl Auth {
    fn login(&self) -> (String, String) {
        let value = |key| self.basic.iter().find(|of| of.key == key).unwrap().value.clone();
        (value("username"), value("password"))
    }
}
