//! The requests of the Postman collection and their scripts.

use serde::Deserialize;
use serde_json::Value;

const COLLECTION: &str = include_str!("shop-analytics.postman_collection.json");

/// Prefix of the gateway's own paths.
const GATEWAY: &str = "/gateway/";
/// Prefix of the paths at which the gateway serves the document of the command service.
const COMMAND: &str = "/command/";
/// Prefixes that the gateway replaces by `/api/`.
const PREFIXES: [&str; 3] = ["/system-api/", "/order-service/", "/invoice-service/"];

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
    /// Its id, which scripts use.
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
        let root: Value = serde_json::from_str(COLLECTION).unwrap();
        let mut requests = Vec::new();
        add_requests(&root, None, &mut requests);
        Self { scripts: scripts("collection", &root), requests }
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
        if path.starts_with(GATEWAY) {
            return None;
        }
        if let Some(document) = path.strip_prefix(COMMAND) {
            return Some(format!("{{{{commandUrl}}}}/{document}"));
        }
        let is_query = ["GET", "HEAD"].contains(&&*self.method);
        let service = if is_query { "{{queryUrl}}" } else { "{{commandUrl}}" };
        let rest = PREFIXES.iter().find_map(|prefix| path.strip_prefix(prefix));
        Some(rest.map_or(format!("{service}{path}"), |rest| format!("{service}/api/{rest}")))
    }
}

/// Adds the requests of a folder and of the folders in it.
fn add_requests(folder: &Value, login: Option<&(String, String)>, requests: &mut Vec<Request>) {
    for item in folder["item"].as_array().unwrap() {
        let own_login = login_of(item);
        let login = own_login.as_ref().or(login);
        let request = &item["request"];
        if request.is_null() {
            add_requests(item, login, requests);
            continue;
        }
        let name = text(&item["name"]);
        requests.push(Request {
            id: text(&item["id"]),
            method: text(&request["method"]),
            url: text(&request["url"]),
            headers: serde_json::from_value(request["header"].clone()).unwrap(),
            body: request["body"]["raw"].as_str().map(str::to_owned),
            login: login.cloned(),
            scripts: scripts(&name, item),
            name,
        });
    }
}

fn login_of(item: &Value) -> Option<(String, String)> {
    let attributes = item["auth"]["basic"].as_array()?;
    let value = |key| text(&attributes.iter().find(|of| of["key"] == key).unwrap()["value"]);
    Some((value("username"), value("password")))
}

fn scripts(owner: &str, item: &Value) -> Vec<Script> {
    let script = |event: &Value| {
        let phase = Phase::deserialize(&event["listen"]).unwrap();
        let lines = event["script"]["exec"].as_array().unwrap().iter().map(text);
        let when = if phase == Phase::Test { "test" } else { "pre-request" };
        let code = lines.collect::<Vec<_>>().join("\n");
        Script { name: format!("{owner}, {when}"), phase, code }
    };
    item["event"].as_array().unwrap().iter().map(script).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
