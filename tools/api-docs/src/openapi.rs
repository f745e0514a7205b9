//! The OpenAPI documents of all ports, and what the generators read from them.

use serde::Serialize;
use serde_json::Value;

/// The extension that names the role of an operation.
const REQUIRED_ROLE: &str = "x-required-role";

/// The documents of all ports.
pub struct Documents(pub Vec<Port>);

/// A port of a service.
pub struct Port {
    /// Where the document is checked in, from the root of the repository.
    pub file: &'static str,
    /// Its number.
    pub number: u16,
    /// The variable of the Postman environment that has the port's URL.
    pub variable: &'static str,
    /// Whether it is an API for clients.
    pub is_api: bool,
    /// Its OpenAPI document.
    pub document: Value,
    /// The same as text, in the order of the fields in the specification.
    pub text: String,
}

/// An operation of a document.
pub struct Operation<'a> {
    /// The document, for references.
    pub port: &'a Port,
    /// In capitals.
    pub method: String,
    /// Pattern of the path.
    pub path: &'a str,
    /// Unique in its document.
    pub id: &'a str,
    /// A short title.
    pub summary: &'a str,
    /// The group of operations.
    pub tag: &'a str,
    /// The required role; none if everyone may call it.
    pub role: Option<&'a str>,
    /// The operation.
    pub value: &'a Value,
}

impl Documents {
    /// The operation that a request of the Postman collection is for.
    pub fn operation_of(&self, method: &str, url: &str) -> Option<Operation<'_>> {
        let (variable, path) = split(url)?;
        let port = self.0.iter().find(|port| port.variable == variable)?;
        // HEAD is documented as GET.
        let method = if method == "HEAD" { "GET" } else { method };
        port.operations()
            .find(|operation| operation.method == method && matches(operation.path, path))
    }

    /// Whether a URL of the Postman collection is at one of the APIs.
    pub fn covers(&self, url: &str) -> bool {
        let variable = split(url).map(|(variable, _)| variable);
        self.0.iter().any(|port| port.is_api && Some(port.variable) == variable)
    }

    /// The ids of all operations of both APIs, with the port.
    pub fn api_operations(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let apis = self.0.iter().filter(|port| port.is_api);
        apis.flat_map(|port| port.operations().map(|operation| (port.variable, operation.id)))
    }
}

/// The variable and the path of a URL such as `{{commandUrl}}/api/orders?limit=1`.
fn split(url: &str) -> Option<(&str, &str)> {
    let (variable, rest) = url.strip_prefix("{{")?.split_once("}}")?;
    Some((variable, rest.split('?').next()?))
}

/// Whether a path matches a pattern: `/api/orders/{{orderId}}` matches `/api/orders/{id}`.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path) = (pattern.split('/'), path.split('/'));
    pattern.clone().count() == path.clone().count()
        && pattern.zip(path).all(|(wanted, given)| {
            wanted == given || (wanted.starts_with('{') && !given.is_empty())
        })
}

impl Port {
    /// The API of a service, or its operations port.
    pub fn new(
        (file, number, variable): (&'static str, u16, &'static str),
        is_api: bool,
        document: &impl Serialize,
    ) -> serde_json::Result<Self> {
        let text = serde_json::to_string_pretty(document)? + "\n";
        let document = serde_json::to_value(document)?;
        Ok(Self { file, number, variable, is_api, document, text })
    }

    /// All operations, by path.
    pub fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        properties(&self.document["paths"]).flat_map(move |(path, item)| {
            properties(item).map(move |(method, value)| Operation {
                port: self,
                method: method.to_uppercase(),
                path,
                id: text(&value["operationId"]),
                summary: text(&value["summary"]),
                tag: text(&value["tags"][0]),
                role: value[REQUIRED_ROLE].as_str(),
                value,
            })
        })
    }

    /// A value, or the one that it refers to.
    pub fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let target = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        target.and_then(|path| self.document.pointer(path)).unwrap_or(value)
    }
}

impl<'a> Operation<'a> {
    /// Its parameters, resolved.
    pub fn parameters(&self) -> impl Iterator<Item = &'a Value> {
        let parameters = self.value["parameters"].as_array().into_iter().flatten();
        parameters.map(|parameter| self.port.resolve(parameter))
    }

    /// Its responses by status, resolved.
    pub fn responses(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        properties(&self.value["responses"])
            .map(|(status, response)| (status.as_str(), self.port.resolve(response)))
    }
}

/// A text, or an empty one.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Names and values of a JSON object.
pub fn properties(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_matches_a_pattern_with_the_same_number_of_segments() {
        assert!(matches("/api/orders/{id}", "/api/orders/{{orderId}}"));
        assert!(!matches("/api/orders/{id}", "/api/orders/"));
        assert!(!matches("/api/orders/{id}", "/api/orders/1/status"));
        assert!(!matches("/api/orders", "/api/products"));
    }
}
