//! Every route of every port, and the role that it requires: the operations of the OpenAPI
//! documents, and paths and methods that do not exist.

use crate::openapi::{Port, example_path, operations};
use Port::{Command, CommandOperations, ConsumerOperations, Query, QueryOperations};
use access::Role;

/// What a route requires.
#[derive(Clone, Copy, Debug)]
pub enum Access {
    /// Nothing.
    Open,
    /// Any valid credential, although the path or the method does not exist.
    Authenticated,
    /// A role.
    Role(Role),
}

/// A route.
#[derive(Clone, Debug)]
pub struct Route {
    /// The port that has it.
    pub port: Port,
    /// Method.
    pub method: String,
    /// Path, with example values of parameters.
    pub path: String,
    /// What it requires.
    pub access: Access,
}

/// Paths and methods that do not exist.
const UNKNOWN: [(Port, &str, &str); 13] = [
    (Command, "GET", "/api/products"),
    (Command, "POST", "/api/nothing"),
    (Command, "GET", "/"),
    (Command, "GET", "/metrics"),
    (Command, "GET", "/admin/replay"),
    (Command, "POST", "/admin/replay"),
    (Query, "POST", "/api/orders"),
    (Query, "GET", "/api/nothing"),
    (Query, "GET", "/metrics"),
    (Query, "GET", "/admin/dead-letters"),
    (CommandOperations, "POST", "/api/products"),
    (QueryOperations, "GET", "/api/products"),
    (ConsumerOperations, "PUT", "/admin/dead-letters/1"),
];

/// All documented operations, with HEAD where there is GET, and some unknown routes.
pub fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    for port in Port::ALL {
        let document = port.document();
        for (method, pattern, operation) in operations(&document) {
            let role = operation["x-required-role"].as_str();
            let access = role.map_or(Access::Open, |name| Access::Role(name.parse().unwrap()));
            let path = example_path(&document, pattern, operation);
            if method == "GET" {
                let method = "HEAD".to_owned();
                routes.push(Route { port, method, path: path.clone(), access });
            }
            routes.push(Route { port, method, path, access });
        }
    }
    routes.extend(UNKNOWN.map(|(port, method, path)| Route {
        port,
        method: method.to_owned(),
        path: path.to_owned(),
        access: Access::Authenticated,
    }));
    routes
}
