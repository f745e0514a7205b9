//! Every route, and what it asks for.

use crate::api_documents::{Api, is_of, operations};
use crate::harness::{Service, Shop};
use Need::{Any, One, Open};
use Port::{Command, CommandOperations, ConsumerOperations, Query, QueryOperations};
use access::Role::{self, Admin, Reader, Writer};

/// A port of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Port {
    Command,
    Query,
    CommandOperations,
    QueryOperations,
    ConsumerOperations,
}

/// What a route asks for.
#[derive(Clone, Copy, Debug)]
pub enum Need {
    /// Nothing.
    Open,
    /// Any credential, only to be told that there is nothing.
    Any,
    /// A role.
    One(Role),
}

pub const ROUTES: &[(Port, &str, &str, Need)] = &[
    (Command, "POST", "/api/products", One(Writer)),
    (Command, "PUT", "/api/products/1", One(Writer)),
    (Command, "PUT", "/api/products/1/price", One(Writer)),
    (Command, "POST", "/api/orders", One(Writer)),
    (Command, "PUT", "/api/orders/1/status", One(Writer)),
    (Command, "POST", "/api/users", One(Writer)),
    (Command, "PATCH", "/api/users/1", One(Writer)),
    (Command, "POST", "/api/accounts", One(Writer)),
    (Command, "GET", "/health", Open),
    (Command, "GET", "/openapi.json", Open),
    (Command, "GET", "/docs", Open),
    (Command, "GET", "/docs/swagger-ui.css", Open),
    (Command, "GET", "/api/products", Any),
    (Command, "POST", "/api/nothing", Any),
    (Command, "GET", "/", Any),
    (Command, "GET", "/metrics", Any),
    (Command, "GET", "/admin/replay", Any),
    (Command, "POST", "/admin/replay", Any),
    (Query, "GET", "/api/analytics/products/1/sales", One(Reader)),
    (Query, "GET", "/api/analytics/categories/Tea/revenue", One(Reader)),
    (Query, "GET", "/api/analytics/customers/1/lifetime-value", One(Reader)),
    (Query, "GET", "/api/analytics/hourly-sales", One(Reader)),
    (Query, "GET", "/api/analytics/sync-status", One(Reader)),
    (Query, "GET", "/api/analytics/topology", One(Reader)),
    (Query, "GET", "/sync-status", One(Reader)),
    (Query, "GET", "/api/products", One(Reader)),
    (Query, "HEAD", "/api/products", One(Reader)),
    (Query, "GET", "/api/products/1", One(Reader)),
    (Query, "GET", "/api/orders", One(Reader)),
    (Query, "GET", "/api/orders/1", One(Reader)),
    (Query, "GET", "/api/users", One(Reader)),
    (Query, "GET", "/api/users/1", One(Reader)),
    (Query, "GET", "/api/invoices", One(Reader)),
    (Query, "GET", "/health", Open),
    (Query, "GET", "/openapi.json", Open),
    (Query, "GET", "/docs", Open),
    (Query, "GET", "/docs/swagger-ui.css", Open),
    (Query, "POST", "/api/orders", Any),
    (Query, "GET", "/api/nothing", Any),
    (Query, "GET", "/metrics", Any),
    (Query, "GET", "/admin/dead-letters", Any),
    (CommandOperations, "GET", "/health", Open),
    (CommandOperations, "GET", "/metrics", Open),
    (CommandOperations, "GET", "/admin/replay", One(Admin)),
    (CommandOperations, "POST", "/admin/replay?from=2026-01-01", One(Admin)),
    (CommandOperations, "GET", "/admin", Any),
    (CommandOperations, "POST", "/api/products", Any),
    (QueryOperations, "GET", "/health", Open),
    (QueryOperations, "GET", "/metrics", Open),
    (QueryOperations, "GET", "/api/products", Any),
    (ConsumerOperations, "GET", "/health", Open),
    (ConsumerOperations, "GET", "/metrics", Open),
    (ConsumerOperations, "GET", "/admin/dead-letters", One(Admin)),
    (ConsumerOperations, "GET", "/admin/dead-letters/1", One(Admin)),
    (ConsumerOperations, "DELETE", "/admin/dead-letters/1", One(Admin)),
    (ConsumerOperations, "POST", "/admin/dead-letters/1/redrive", One(Admin)),
    (ConsumerOperations, "PUT", "/admin/dead-letters/1", Any),
];

impl Port {
    /// All.
    pub const ALL: [Self; 5] =
        [Command, Query, CommandOperations, QueryOperations, ConsumerOperations];

    /// Where a shop has it.
    pub async fn url(self, shop: &Shop) -> String {
        let (service, server): (&Service, _) = match self {
            Command => (&shop.command, "api"),
            Query => (&shop.query, "api"),
            CommandOperations => (&shop.command, "operations"),
            QueryOperations => (&shop.query, "operations"),
            ConsumerOperations => (&shop.consumer, "operations"),
        };
        format!("http://{}", service.address(server).await)
    }
}

/// What the APIs document and the table above does not have. (Operations ports have no
/// document; what they serve to operators is behind one role as a whole.)
pub async fn missing(shop: &Shop) -> Vec<String> {
    let mut missing = Vec::new();
    for api in Api::ALL {
        let port = match api {
            Api::Command => Command,
            Api::Query => Query,
        };
        let document = api.document(shop).await;
        for (method, pattern, _) in operations(&document) {
            let is_listed = |(at, with, path, need): &(Port, &str, &str, Need)| {
                *at == port && *with == method && !matches!(need, Any) && is_of(pattern, path)
            };
            if !ROUTES.iter().any(is_listed) {
                missing.push(format!("{port:?} {method} {pattern} is not in the table"));
            }
        }
    }
    missing
}
