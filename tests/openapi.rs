//! The checked-in OpenAPI documents of all ports.

use serde_json::Value;

/// A port of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Port {
    /// The API of the command service.
    Command,
    /// The API of the query service.
    Query,
    /// The operations port of the command service.
    CommandOperations,
    /// The operations port of the query service.
    QueryOperations,
    /// The operations port of the consumer service.
    ConsumerOperations,
}

impl Port {
    /// The ports that serve their document.
    pub const APIS: [Self; 2] = [Self::Command, Self::Query];
    /// All.
    pub const ALL: [Self; 5] = [
        Self::Command,
        Self::Query,
        Self::CommandOperations,
        Self::QueryOperations,
        Self::ConsumerOperations,
    ];

    /// Its OpenAPI document.
    pub fn document(self) -> Value {
        let text = match self {
            Self::Command => include_str!("../command-service/openapi.json"),
            Self::Query => include_str!("../query-service/openapi.json"),
            Self::CommandOperations => include_str!("../command-service/operations-openapi.json"),
            Self::QueryOperations => include_str!("../query-service/operations-openapi.json"),
            Self::ConsumerOperations => include_str!("../consumer-service/operations-openapi.json"),
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

/// A value, or the one that it refers to.
pub fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let target = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    target.map_or(value, |path| document.pointer(path).unwrap_or(&Value::Null))
}

/// A path of the pattern: its parameters have the values of their examples.
pub fn example_path(document: &Value, pattern: &str, operation: &Value) -> String {
    let mut path = pattern.to_owned();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let parameter = resolve(document, parameter);
        if parameter["in"] == "path" {
            let example = &parameter["example"];
            let value = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
            path = path.replace(&format!("{{{}}}", parameter["name"].as_str().unwrap()), &value);
        }
    }
    path
}

/// Names and values of a JSON object.
pub fn properties(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flatten()
}
