//! The checked-in OpenAPI documents of both APIs.

use serde_json::Value;

/// The two APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    /// That of the command service.
    Command,
    /// That of the query service.
    Query,
}

impl Api {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Command, Self::Query];

    /// Its OpenAPI document.
    pub fn document(self) -> Value {
        let text = match self {
            Self::Command => include_str!("../command-service/openapi.json"),
            Self::Query => include_str!("../query-service/openapi.json"),
        };
        serde_json::from_str(text).unwrap()
    }
}

/// Methods, in capitals, path patterns, and operations of an OpenAPI document.
pub fn operations(document: &Value) -> impl Iterator<Item = (String, &str, &Value)> {
    properties(&document["paths"]).flat_map(|(pattern, operations)| {
        properties(operations)
            .map(move |(method, operation)| (method.to_uppercase(), pattern.as_str(), operation))
    })
}

/// Whether a path matches a pattern: `/api/orders/{{orderId}}` matches
/// `/api/orders/{id}`.
pub fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path) = (pattern.split('/'), path.split('/'));
    pattern.clone().count() == path.clone().count()
        && pattern.zip(path).all(|(wanted, given)| {
            wanted == given || (wanted.starts_with('{') && !given.is_empty())
        })
}

/// Names and values of a JSON object.
pub fn properties(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flatten()
}
