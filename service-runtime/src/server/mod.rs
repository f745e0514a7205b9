//! The two HTTP servers of a service, with the OpenAPI document of each: the API for
//! clients, and the operations port for operators and monitoring.
//!
//! Both the document and the check of credentials are made from the routes and the role
//! given here, so they agree.

mod monitoring;
mod page;

use crate::auth::{AuthorizedRoutes, Guard, Role};
use crate::health::Health;
use crate::metrics::Metrics;
use crate::openapi;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa_axum::router::OpenApiRouter;

/// The tag of operations that only administrators call.
pub const ADMINISTRATION: &str = "Administration";

/// The role that the routes for administrators require.
const ADMINISTRATOR: Role = Role::Admin;

/// The API of a service.
#[derive(Debug)]
pub struct Api {
    /// Title of the OpenAPI document.
    pub title: &'static str,
    /// Description of the API, in Markdown.
    pub description: &'static str,
    /// Groups of operations, with a description of each.
    pub tags: &'static [(&'static str, &'static str)],
    /// The role that every route requires, except `/health` and the document.
    pub role: Role,
    /// Adds what the operations of this API share.
    pub complete: fn(&mut Operation),
}

impl Api {
    /// The OpenAPI document of these routes, of `/health` and of the routes that serve it.
    pub fn openapi(&self, mut routes: OpenApi) -> OpenApi {
        openapi::operations_mut(&mut routes).for_each(self.complete);
        openapi::require(self.role, &mut routes);
        routes.merge(monitoring::health().into_openapi());
        routes.merge(page::routes().into_openapi());
        openapi::complete(&mut routes, self.title, self.description, self.tags);
        routes
    }

    /// The routes to serve: these, `/health` and the document.
    ///
    /// # Errors
    /// None in practice: every document has a JSON form.
    pub fn authorized(
        &self,
        guard: &Guard,
        health: &Health,
        routes: OpenApiRouter,
    ) -> serde_json::Result<AuthorizedRoutes> {
        let (routes, document) = routes.split_for_parts();
        let text = serde_json::to_vec(&self.openapi(document))?;
        let page = page::routes().with_state(page::Document(text.into()));
        Ok(AuthorizedRoutes::api(guard)
            .open(monitoring::health().with_state(shown(health, false)).into())
            .open(page.into())
            .requiring(self.role, routes))
    }
}

/// The OpenAPI document of an operations port: `/health`, `/metrics` and these routes for
/// administrators.
pub fn operations_openapi(title: &str, mut routes: OpenApi) -> OpenApi {
    openapi::require(ADMINISTRATOR, &mut routes);
    routes.merge(monitoring::health().into_openapi());
    routes.merge(monitoring::metrics().into_openapi());
    openapi::complete(
        &mut routes,
        title,
        "The port for operators and monitoring. Do not expose it to clients.",
        &[(ADMINISTRATION, "Operations that change or show the internals of the service.")],
    );
    routes
}

/// The routes of an operations port: `/health`, `/metrics` and these for administrators.
pub(crate) fn operations(
    guard: &Guard,
    health: &Health,
    metrics: Metrics,
    routes: OpenApiRouter,
) -> AuthorizedRoutes {
    AuthorizedRoutes::operations(guard)
        .open(monitoring::health().with_state(shown(health, true)).into())
        .open(monitoring::metrics().with_state(metrics).into())
        .requiring(ADMINISTRATOR, routes.into())
}

fn shown(health: &Health, with_details: bool) -> monitoring::Shown {
    monitoring::Shown { health: health.clone(), with_details }
}
