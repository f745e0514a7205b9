//! Every documented operation has a request in the Postman collection, and every request
//! is documented.

use std::collections::BTreeSet;
use system_tests::openapi::{Api, matches, operations};
use system_tests::postman::{Collection, Request};

/// Requests for paths and methods that do not exist.
const UNDOCUMENTED: [&str; 5] = [
    "An unknown path of the command service",
    "An unknown path of the query service",
    "An unknown path, by the gateway",
    "A wrong method at the command service",
    "A wrong method at the query service",
];

#[test]
fn the_collection_has_exactly_the_documented_operations() {
    let mut documented = BTreeSet::new();
    for api in Api::ALL {
        let document = api.document();
        documented.extend(
            operations(&document).map(|(method, pattern, _)| (api, method, pattern.to_owned())),
        );
    }
    let collection = Collection::read();
    let mut requested = BTreeSet::new();
    for request in &collection.requests {
        let Some((api, path)) = destination(request) else { continue };
        let call = documented.iter().find(|(of, method, pattern)| {
            *of == api
                // GET implies HEAD.
                && method == if request.method == "HEAD" { "GET" } else { &request.method }
                && matches(pattern, &path)
        });
        let is_documented = call.is_some();
        assert_eq!(is_documented, !UNDOCUMENTED.contains(&&*request.name), "{request:?}");
        requested.extend(call.filter(|_| !request.url.starts_with("{{gatewayUrl}}")));
    }
    let missing: Vec<_> = documented.iter().filter(|call| !requested.contains(call)).collect();
    assert!(missing.is_empty(), "no requests for {missing:#?}");
}

/// The API that a request is for, and the path there; none if it is for no API.
fn destination(request: &Request) -> Option<(Api, String)> {
    let url = request.direct_url()?;
    let (host, path) = url.split_once('/').unwrap();
    let path = format!("/{}", path.split('?').next().unwrap());
    match host {
        "{{commandUrl}}" => Some((Api::Command, path)),
        "{{queryUrl}}" => Some((Api::Query, path)),
        "{{commandOperationsUrl}}"
        | "{{queryOperationsUrl}}"
        | "{{consumerOperationsUrl}}"
        | "{{managementUrl}}" => None,
        unknown => panic!("where is {unknown}?"),
    }
}
