//! The table of routes and roles has every documented operation.

use system_tests::openapi::{Api, matches, operations};
use system_tests::routes::{Need, Port, ROUTES};

/// Operations ports have no OpenAPI document; what they serve to operators requires one
/// role as a whole.
#[test]
fn every_documented_operation_is_in_the_table() {
    let mut missing = Vec::new();
    for api in Api::ALL {
        let port = match api {
            Api::Command => Port::Command,
            Api::Query => Port::Query,
        };
        for (method, pattern, _) in operations(&api.document()) {
            let is_listed = ROUTES.iter().any(|(at, with, path, need)| {
                *at == port
                    && *with == method
                    && !matches!(need, Need::Any)
                    && matches(pattern, path)
            });
            if !is_listed {
                missing.push(format!("{port:?} {method} {pattern}"));
            }
        }
    }
    assert!(missing.is_empty(), "not in tests/routes.rs: {missing:#?}");
}
