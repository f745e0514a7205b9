//! Routes with what they ask of their callers.

use super::guard::{Guard, Pass};
use super::refusal::Refusal;
use super::web_pages;
use crate::problem::Problem;
use crate::traffic::Clients;
use access::Role;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use std::future::{Ready, ready};

/// The routes of a server. Each was either declared open or given with a role: there is
/// no other way to have one served.
///
/// ```compile_fail
/// use service_runtime::{auth::Guarded, http};
///
/// async fn undeclared(routes: axum::Router, shutdown: tokio_util::sync::CancellationToken) {
///     let address = ([127, 0, 0, 1], 0).into();
///     http::serve("api", address, routes, shutdown).await;
/// }
/// ```
///
/// ```
/// use service_runtime::auth::{Guard, Guarded, Role};
/// use service_runtime::http;
///
/// async fn declared(
///     guard: &Guard,
///     routes: axum::Router,
///     shutdown: tokio_util::sync::CancellationToken,
/// ) {
///     let address = ([127, 0, 0, 1], 0).into();
///     let routes = Guarded::api(guard).needing(Role::Writer, routes);
///     http::serve("api", address, routes, shutdown).await;
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Guarded {
    routes: Router,
    guard: Guard,
    port: Port,
}

/// Who is to reach a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    /// Clients, who are counted.
    Api,
    /// Operators, and nobody's web page.
    Operations,
}

/// What stands before a handler.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    guard: Guard,
    port: Port,
    role: Option<Role>,
}

impl Guarded {
    /// Those of a server for clients.
    pub fn api(guard: &Guard) -> Self {
        Self { routes: Router::new(), guard: guard.clone(), port: Port::Api }
    }

    /// Those of a server for operators. What needs a role there is refused to web
    /// pages, too.
    pub fn operations(guard: &Guard) -> Self {
        Self { port: Port::Operations, ..Self::api(guard) }
    }

    /// Adds routes for anybody.
    #[must_use]
    pub fn open(mut self, routes: Router) -> Self {
        self.routes = self.routes.merge(routes);
        self
    }

    /// Adds routes for callers with that role.
    #[must_use]
    pub fn needing(self, role: Role, routes: Router) -> Self {
        let gate = self.gate(Some(role));
        // Every layer costs each request a copy of what is within it.
        let routes = if gate.is_idle() {
            routes
        } else {
            routes.route_layer(middleware::from_fn_with_state(gate, admit))
        };
        self.open(routes)
    }

    /// The routes, what stands before all other paths, and where clients come from.
    pub(crate) fn into_parts(self) -> (Router, Gate, Clients) {
        let (gate, clients) = (self.gate(None), self.guard.clients().clone());
        (self.routes, gate, clients)
    }

    fn gate(&self, role: Option<Role>) -> Gate {
        Gate { guard: self.guard.clone(), port: self.port, role }
    }
}

impl Gate {
    /// A handler that answers those who get through.
    pub fn before(
        &self,
        answer: fn() -> Problem,
    ) -> impl Fn(Request) -> Ready<Response> + Clone + Send + 'static {
        let gate = self.clone();
        move |mut request| {
            ready(match gate.check(&mut request) {
                Ok(()) => answer().into_response(),
                Err(refusal) => refusal.into_response(),
            })
        }
    }

    fn is_idle(&self) -> bool {
        self.port == Port::Api && self.guard.is_idle()
    }

    fn check(&self, request: &mut Request) -> Result<(), Refusal> {
        let is_operators = self.port == Port::Operations;
        if is_operators
            && self.role.is_some()
            && web_pages::may_be_from_one(request.uri(), request.headers())
        {
            return Err(Refusal::WebPage);
        }
        self.guard.check(request, Pass { role: self.role, counted: !is_operators })
    }
}

async fn admit(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    match gate.check(&mut request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}
