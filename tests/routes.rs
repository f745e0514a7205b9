//! Every route of every port, and the role that it requires.

use Need::{Any, One, Open};
use Port::{Command, CommandOperations, ConsumerOperations, Query, QueryOperations};
use access::Role::{self, Admin, Reader, Writer};

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
    /// All.
    pub const ALL: [Self; 5] =
        [Command, Query, CommandOperations, QueryOperations, ConsumerOperations];
}

/// What a route requires.
#[derive(Clone, Copy, Debug)]
pub enum Need {
    /// Nothing.
    Open,
    /// Any valid credential, although the path or the method does not exist.
    Any,
    /// A role.
    One(Role),
}

/// Ports, methods, paths, and what they require.
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
