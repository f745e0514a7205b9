//! Routes with the role that each requires.

use super::guard::Guard;
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

/// The routes of a server. Each is declared open or requires a role; other routes cannot be
/// served.
///
/// ```compile_fail
/// use service_runtime::{auth::AuthorizedRoutes, http};
///
/// async fn undeclared(routes: axum::Router, shutdown: tokio_util::sync::CancellationToken) {
///     let address = ([127, 0, 0, 1], 0).into();
///     http::serve("api", address, routes, shutdown).await;
/// }
/// ```
///
/// ```
/// use service_runtime::auth::{Guard, AuthorizedRoutes, Role};
/// use service_runtime::http;
///
/// async fn declared(
///     guard: &Guard,
///     routes: axum::Router,
///     shutdown: tokio_util::sync::CancellationToken,
/// ) {
///     let address = ([127, 0, 0, 1], 0).into();
///     let routes = AuthorizedRoutes::api(guard).requiring(Role::Writer, routes);
///     http::serve("api", address, routes, shutdown).await;
/// }
/// ```
#[derive(Clone, Debug)]
pub struct AuthorizedRoutes {
    routes: Router,
    guard: Guard,
    is_operations: bool,
}

/// The check before a handler.
#[derive(Clone, Debug)]
pub(crate) struct Authorization {
    guard: Guard,
    is_operations: bool,
    role: Option<Role>,
}

impl AuthorizedRoutes {
    /// No routes of a server for clients, which has a rate limit.
    pub fn api(guard: &Guard) -> Self {
        Self { routes: Router::new(), guard: guard.clone(), is_operations: false }
    }

    /// No routes of a server for operators. Routes with a role refuse web pages.
    pub fn operations(guard: &Guard) -> Self {
        Self { is_operations: true, ..Self::api(guard) }
    }

    /// Adds routes without a required role.
    #[must_use]
    pub fn open(mut self, routes: Router) -> Self {
        self.routes = self.routes.merge(routes);
        self
    }

    /// Adds routes that require a role.
    #[must_use]
    pub fn requiring(self, role: Role, routes: Router) -> Self {
        let authorization = self.authorization(Some(role));
        // Every layer costs a copy of the inner service per request. axum refuses a layer
        // for no routes.
        let routes = if authorization.is_idle() || !routes.has_routes() {
            routes
        } else {
            routes.route_layer(middleware::from_fn_with_state(authorization, authorize))
        };
        self.open(routes)
    }

    /// The routes, the check before all other paths, and the addresses of clients.
    pub(crate) fn into_parts(self) -> (Router, Authorization, Clients) {
        let (authorization, clients) = (self.authorization(None), self.guard.clients().clone());
        (self.routes, authorization, clients)
    }

    fn authorization(&self, role: Option<Role>) -> Authorization {
        Authorization { guard: self.guard.clone(), is_operations: self.is_operations, role }
    }
}

impl Authorization {
    /// A handler that responds to permitted requests.
    pub fn before(
        &self,
        respond: fn() -> Problem,
    ) -> impl Fn(Request) -> Ready<Response> + Clone + Send + 'static {
        let authorization = self.clone();
        move |mut request| {
            ready(match authorization.check(&mut request) {
                Ok(()) => respond().into_response(),
                Err(refusal) => refusal.into_response(),
            })
        }
    }

    fn is_idle(&self) -> bool {
        !self.is_operations && self.guard.is_idle()
    }

    fn check(&self, request: &mut Request) -> Result<(), Refusal> {
        if self.is_operations
            && self.role.is_some()
            && web_pages::may_come_from_web_page(request.uri(), request.headers())
        {
            return Err(Refusal::WebPage);
        }
        self.guard.check(request, self.role, !self.is_operations)
    }
}

async fn authorize(
    State(authorization): State<Authorization>,
    mut request: Request,
    next: Next,
) -> Response {
    match authorization.check(&mut request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}
