//! Each API tells of itself: an OpenAPI 3.1 document that is whole, and that has just the
//! routes that there are. (That answers are as it says, `tests/schemathesis/run` tells.)

use crate::harness::{Answer, Shop, client};
use reqwest::Method;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The two APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    Command,
    Query,
}

impl Api {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Command, Self::Query];

    /// Where a shop has it.
    async fn address(self, shop: &Shop) -> String {
        match self {
            Self::Command => shop.command.address("api").await,
            Self::Query => shop.query.address("api").await,
        }
    }

    async fn send(self, shop: &Shop, method: Method, path: &str) -> Answer {
        let url = format!("http://{}{path}", self.address(shop).await);
        Answer::to(client().request(method, url)).await.unwrap()
    }

    /// What it tells of itself.
    pub async fn document(self, shop: &Shop) -> Value {
        let answer = self.send(shop, Method::GET, "/openapi.json").await;
        assert_eq!(
            (answer.status, &answer.headers["content-type"]),
            (200, &"application/json".parse().unwrap())
        );
        answer.body
    }
}

/// Methods, in capitals, patterns of paths, and operations.
pub fn operations(document: &Value) -> impl Iterator<Item = (String, &str, &Value)> {
    members(&document["paths"]).flat_map(|(pattern, operations)| {
        members(operations)
            .map(move |(method, operation)| (method.to_uppercase(), pattern.as_str(), operation))
    })
}

/// Whether a path is of that pattern: `/api/orders/{id}` is that of
/// `/api/orders/{{orderId}}`.
pub fn is_of(pattern: &str, path: &str) -> bool {
    let (pattern, path) = (pattern.split('/'), path.split('/'));
    pattern.clone().count() == path.clone().count()
        && pattern.zip(path).all(|(wanted, given)| {
            wanted == given || (wanted.starts_with('{') && !given.is_empty())
        })
}

fn members(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flatten()
}

#[tokio::test]
async fn documents_are_whole() {
    let shop = Shop::open().await;
    for api in Api::ALL {
        let document = api.document(&shop).await;
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{api:?}");
        let mut faults = Vec::new();
        find_broken_references(&document, &document, &mut faults);
        find_bare_schemas(&document, &document, "", &mut faults);
        let tags: BTreeSet<_> = document["tags"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tag| &tag["name"])
            .map(Value::to_string)
            .collect();
        let mut ids = BTreeSet::new();
        for (method, pattern, operation) in operations(&document) {
            let mut fault = |what: &str| faults.push(format!("{method} {pattern}: {what}"));
            if !is_text(&operation["summary"]) {
                fault("no summary");
            }
            if !is_text(&operation["operationId"])
                || !ids.insert(operation["operationId"].to_string())
            {
                fault("no operationId of its own");
            }
            let of_groups = operation["tags"].as_array().into_iter().flatten();
            if of_groups.filter(|tag| tags.contains(&tag.to_string())).count() != 1 {
                fault("not of one of the groups");
            }
            find_bad_parameters(&document, pattern, operation, &mut fault);
            find_bad_responses(&document, operation, &mut fault);
        }
        assert!(faults.is_empty(), "{api:?}\n{}", faults.join("\n"));
    }
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

/// What a value is, or what it refers to.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let referred = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    referred.map_or(value, |path| document.pointer(path).unwrap_or(&Value::Null))
}

fn find_broken_references(document: &Value, value: &Value, faults: &mut Vec<String>) {
    if let Some(reference) = value["$ref"].as_str()
        && resolve(document, value).is_null()
    {
        faults.push(format!("{reference} leads nowhere"));
    }
    let below = value.as_array().into_iter().flatten();
    for value in below.chain(members(value).map(|(_, value)| value)) {
        find_broken_references(document, value, faults);
    }
}

/// Members of objects without a word about them, or without an example.
fn find_bare_schemas(document: &Value, value: &Value, path: &str, faults: &mut Vec<String>) {
    for (name, schema) in members(&value["properties"]).filter(|(_, schema)| schema.is_object()) {
        let referred = resolve(document, schema);
        let has = |member: &str| !schema[member].is_null() || !referred[member].is_null();
        let of_others = [&schema["oneOf"][0], &schema["oneOf"][1], &schema["items"]];
        let has_example = |schema: &&Value| {
            !resolve(document, schema)["examples"].is_null() || has_members(document, schema)
        };
        // The texts of refusals have their examples beside them.
        if name == "error" && !schema["enum"].is_null() {
            continue;
        }
        if !has("description") && of_others.iter().all(|schema| schema["description"].is_null()) {
            faults.push(format!("{path}/{name}: no description"));
        }
        if !has("examples") && !of_others.iter().any(has_example) {
            faults.push(format!("{path}/{name}: no example"));
        }
    }
    for (name, value) in members(value) {
        find_bare_schemas(document, value, &format!("{path}/{name}"), faults);
    }
    for value in value.as_array().into_iter().flatten() {
        find_bare_schemas(document, value, path, faults);
    }
}

/// Whether a schema is of an object, whose members have examples of their own.
fn has_members(document: &Value, schema: &Value) -> bool {
    !resolve(document, schema)["properties"].is_null()
}

fn find_bad_parameters(
    document: &Value,
    pattern: &str,
    operation: &Value,
    fault: &mut impl FnMut(&str),
) {
    let parameters: Vec<&Value> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|parameter| resolve(document, parameter))
        .collect();
    let names: BTreeSet<_> = parameters
        .iter()
        .map(|parameter| (parameter["name"].as_str(), parameter["in"].as_str()))
        .collect();
    if names.len() != parameters.len() {
        fault("a parameter is there twice");
    }
    for parameter in &parameters {
        if !is_text(&parameter["description"])
            || parameter["example"].is_null()
            || parameter["schema"].is_null()
        {
            fault(&format!("parameter {}: no description, example or schema", parameter["name"]));
        }
    }
    let in_path = pattern.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let of_path =
        names.iter().filter(|(_, place)| *place == Some("path")).map(|(name, _)| name.unwrap());
    if in_path.collect::<BTreeSet<_>>() != of_path.collect() {
        fault("the parameters of the path are not those documented");
    }
    for header in ["X-Request-Id", "traceparent"] {
        if !names.contains(&(Some(header), Some("header"))) {
            fault(&format!("no header {header}"));
        }
    }
}

fn find_bad_responses(document: &Value, operation: &Value, fault: &mut impl FnMut(&str)) {
    let responses: Map<String, Value> = members(&operation["responses"])
        .map(|(status, response)| (status.clone(), resolve(document, response).clone()))
        .collect();
    if !responses.keys().any(|status| status.starts_with('2')) {
        fault("no success");
    }
    for (status, response) in &responses {
        if !is_text(&response["description"]) || response["headers"]["X-Request-Id"].is_null() {
            fault(&format!("{status}: no description or request id"));
        }
        let contents: Vec<&String> = members(&response["content"]).map(|(kind, _)| kind).collect();
        let is_problem = contents.iter().any(|kind| *kind == "application/problem+json");
        let is_refusal = status.starts_with(['4', '5']);
        if contents.is_empty() || is_problem != is_refusal {
            fault(&format!("{status}: contents {contents:?}"));
        }
    }
    let mut expected = vec!["500", "503"];
    if operation["security"] != serde_json::json!([]) {
        expected.extend(["400", "401", "403", "429"]);
        for (status, header) in
            [("401", "WWW-Authenticate"), ("429", "Retry-After"), ("503", "Retry-After")]
        {
            if responses.get(status).is_some_and(|response| response["headers"][header].is_null()) {
                fault(&format!("{status}: no {header}"));
            }
        }
    }
    if !operation["requestBody"].is_null() {
        expected.extend(["413", "415", "422"]);
    }
    for status in expected.into_iter().filter(|status| !responses.contains_key(*status)) {
        fault(&format!("no {status}"));
    }
}

#[tokio::test]
async fn documents_have_just_the_methods_that_there_are() {
    let shop = Shop::open().await;
    for api in Api::ALL {
        let document = api.document(&shop).await;
        for (pattern, operations) in members(&document["paths"]) {
            let mut methods: BTreeSet<String> =
                members(operations).map(|(method, _)| method.to_uppercase()).collect();
            if methods.contains("GET") {
                methods.insert("HEAD".to_owned());
            }
            let path = pattern
                .replace("{id}", "1")
                .replace("{category}", "x")
                .replace("{file}", "swagger-ui.css");
            let refused = api.send(&shop, Method::TRACE, &path).await;
            assert_eq!((refused.status, refused.error()), (405, "Method not allowed"), "{pattern}");
            let allowed = refused.headers["allow"].to_str().unwrap().split(',').map(str::to_owned);
            assert_eq!(allowed.collect::<BTreeSet<_>>(), methods, "{api:?} {pattern}");
        }
    }
}

#[tokio::test]
async fn the_page_finds_all_that_it_needs_beside_it() {
    let shop = Shop::open().await;
    for api in Api::ALL {
        let page = api.send(&shop, Method::GET, "/docs").await;
        assert_eq!(page.status, 200);
        let quoted = |attribute: &str| {
            let parts = page.text.split(attribute).skip(1);
            parts.map(|part| part.split('"').next().unwrap()).collect::<Vec<_>>()
        };
        let addresses = [quoted("href=\""), quoted("src=\""), quoted("url: \"")].concat();
        assert_eq!(addresses.len(), 4, "{addresses:?}");
        for address in addresses {
            // Relative to the page, wherever that is.
            assert!(!address.starts_with('/') && !address.contains(':'), "{address}");
            assert_eq!(
                api.send(&shop, Method::GET, &format!("/{address}")).await.status,
                200,
                "{address}"
            );
        }
    }
}
