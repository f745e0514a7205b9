//! The Postman collection leaves out no endpoint: there is a request for every
//! route. (That they are answered as they should be, `tests/postman/run` tells.)

use serde_json::Value;

const COLLECTION: &str = include_str!("postman/shop-analytics.postman_collection.json");

/// Where requests to a service begin, and the page with all its routes.
const SERVICES: [(&str, &str); 2] = [
    ("{{commandUrl}}", include_str!("../command-service/src/router.rs")),
    ("{{queryUrl}}", include_str!("../query-service/src/router.rs")),
];

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

#[test]
fn every_route_has_a_request() {
    let collection: Value = serde_json::from_str(COLLECTION).unwrap();
    let requests = requests(&collection);
    for (service, router) in SERVICES {
        let routes = routes(router);
        assert!(!routes.is_empty(), "no route found for {service}");
        for (method, pattern) in routes {
            let is_there = requests.iter().any(|(sent, url)| {
                *sent == method
                    && url.strip_prefix(service).is_some_and(|path| matches(pattern, path))
            });
            assert!(is_there, "the collection has no request {method} {service}{pattern}");
        }
    }
}

/// Methods, in capitals, and patterns of paths: `.route("/api/orders", post(…))`.
fn routes(router: &str) -> Vec<(String, &str)> {
    let mut routes = Vec::new();
    for route in router.split(".route(").skip(1) {
        let route = route.split(".with_state(").next().unwrap();
        let pattern = route.split('"').nth(1).expect("a pattern");
        let is_handled =
            |method: &&str| [" ", "."].iter().any(|c| route.contains(&format!("{c}{method}(")));
        let before = routes.len();
        routes.extend(
            METHODS.into_iter().filter(is_handled).map(|method| (method.to_uppercase(), pattern)),
        );
        assert!(routes.len() > before, "no method found in {route}");
    }
    routes
}

/// Methods and URLs of all requests in an item and the items below.
fn requests(item: &Value) -> Vec<(&str, &str)> {
    let below = item["item"].as_array().into_iter().flatten().flat_map(requests);
    let (method, url) = (&item["request"]["method"], &item["request"]["url"]);
    // Postman itself would export an object that has the URL as `raw`.
    let url = url.as_str().or(url["raw"].as_str());
    method.as_str().zip(url).into_iter().chain(below).collect()
}

/// Whether the path of a request, perhaps with a query, is of that pattern:
/// `/api/orders/{id}` is that of `/api/orders/{{orderId}}`.
fn matches(pattern: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap();
    let (pattern, path) = (pattern.split('/'), path.split('/'));
    pattern.clone().count() == path.clone().count()
        && pattern.zip(path).all(|(wanted, given)| {
            wanted == given || (wanted.starts_with('{') && !given.is_empty())
        })
}
