//! Every documented operation has a request in the Postman collection, and every request
//! is documented. (Whether responses are as expected is checked by `tests/postman/run`.)

use serde_json::Value;
use std::collections::BTreeSet;
use system_tests::openapi::{Api, matches, operations};

const COLLECTION: &str = include_str!("../postman/shop-analytics.postman_collection.json");

/// Requests for paths and methods that do not exist.
const UNDOCUMENTED: [&str; 5] = [
    "An unknown path of the command service",
    "An unknown path of the query service",
    "An unknown path, by the gateway",
    "A wrong method at the command service",
    "A wrong method at the query service",
];

/// The prefix of the gateway's own paths, and the prefixes that it replaces.
const OF_THE_GATEWAY: &str = "/gateway/";
const PREFIXES: [(&str, &str); 3] =
    [("/system-api/", "/api/"), ("/order-service/", "/api/"), ("/invoice-service/", "/api/")];

/// The gateway's prefix for the OpenAPI document of the command service.
const OF_COMMANDS: &str = "/command/";

/// A request of the collection, sent to an API.
#[derive(Debug)]
struct Request<'a> {
    name: &'a str,
    api: Api,
    /// Whether it is not sent by way of the gateway.
    is_direct: bool,
    method: &'a str,
    path: String,
}

#[test]
fn the_collection_has_exactly_the_documented_operations() {
    let mut documented = BTreeSet::new();
    for api in Api::ALL {
        let document = api.document();
        documented.extend(
            operations(&document).map(|(method, pattern, _)| (api, method, pattern.to_owned())),
        );
    }
    let collection: Value = serde_json::from_str(COLLECTION).unwrap();
    let mut requested = BTreeSet::new();
    for request in requests(&collection) {
        let call = documented.iter().find(|(api, method, pattern)| {
            *api == request.api
                // GET implies HEAD.
                && method == if request.method == "HEAD" { "GET" } else { request.method }
                && matches(pattern, &request.path)
        });
        let is_documented = call.is_some();
        assert_eq!(is_documented, !UNDOCUMENTED.contains(&request.name), "{request:?}");
        requested.extend(call.filter(|_| request.is_direct));
    }
    let missing: Vec<_> = documented.iter().filter(|call| !requested.contains(call)).collect();
    assert!(missing.is_empty(), "no requests for {missing:#?}");
}

/// All requests to APIs in an item and the items below.
fn requests(item: &Value) -> Vec<Request<'_>> {
    let below = item["item"].as_array().into_iter().flatten().flat_map(requests);
    let (method, url) = (&item["request"]["method"], &item["request"]["url"]);
    // Postman itself would export an object that has the URL as `raw`.
    let url = url.as_str().or(url["raw"].as_str());
    let here = method.as_str().zip(url).and_then(|(method, url)| {
        let name = item["name"].as_str().unwrap();
        let (api, is_direct, path) = destination(method, url)?;
        Some(Request { name, api, is_direct, method, path })
    });
    here.into_iter().chain(below).collect()
}

/// The API that a request is for, whether it is sent directly, and the path there; none if
/// it is for no API.
fn destination(method: &str, url: &str) -> Option<(Api, bool, String)> {
    let (host, path) = url.split_once('/').unwrap();
    let path = format!("/{}", path.split('?').next().unwrap());
    match host {
        "{{commandUrl}}" => Some((Api::Command, true, path)),
        "{{queryUrl}}" => Some((Api::Query, true, path)),
        "{{gatewayUrl}}" if path.starts_with(OF_THE_GATEWAY) => None,
        "{{gatewayUrl}}" => {
            if let Some(document) = path.strip_prefix(OF_COMMANDS) {
                return Some((Api::Command, false, format!("/{document}")));
            }
            let api = if ["GET", "HEAD"].contains(&method) { Api::Query } else { Api::Command };
            let meant = PREFIXES.iter().find_map(|(prefix, meant)| {
                path.strip_prefix(prefix).map(|rest| format!("{meant}{rest}"))
            });
            Some((api, false, meant.unwrap_or(path)))
        }
        "{{commandOperationsUrl}}"
        | "{{queryOperationsUrl}}"
        | "{{consumerOperationsUrl}}"
        | "{{managementUrl}}" => None,
        unknown => panic!("unknown host {unknown}"),
    }
}
