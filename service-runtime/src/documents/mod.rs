//! The document of an API: OpenAPI 3.1 at `/openapi.json`, and a page at `/docs` that
//! shows it, without anything from elsewhere.
//!
//! Each operation is described at its handler, and each answer by the type that it is
//! made of. What operations have in common is added here, once: headers, credentials
//! and the refusals that any of them may get. The text is made at the start, not at
//! each request, and the router is the plain one of axum.

mod checked_in;
mod common;
mod page;
mod refusals;
mod schemas;
mod shared;

pub use checked_in::check_openapi_json;
pub use common::TAG;
pub use refusals::{add_refusals, always, noted};
pub use schemas::{AtLeastOne, Id, Time};

use crate::auth::{Guard, Guarded, Role};
use utoipa::openapi::path::Operation;
use utoipa::openapi::{Components, Info, License, OpenApi, Server, Tag};
use utoipa_axum::router::OpenApiRouter;

/// What a document says of an API beside its operations.
#[derive(Debug)]
pub struct Api {
    /// What it is called.
    pub title: &'static str,
    /// What it is for. Markdown.
    pub description: &'static str,
    /// Groups of operations, and what they are about.
    pub tags: &'static [(&'static str, &'static str)],
    /// Adds what all operations of this API have in common, and no other's.
    pub complete: fn(&mut Operation),
}

impl Api {
    /// The routes for anybody, those for callers with a role, and with them the open
    /// ones of their document.
    ///
    /// # Errors
    /// None in practice: every document has a JSON form.
    pub fn serve(
        &self,
        guard: &Guard,
        open: OpenApiRouter,
        role: Role,
        routes: OpenApiRouter,
    ) -> serde_json::Result<Guarded> {
        let (open, of_open) = open.split_for_parts();
        let (routes, of_routes) = routes.split_for_parts();
        let text = serde_json::to_vec(&self.document(of_open, of_routes))?;
        let (page, _) = page::routes().split_for_parts();
        let page = page.with_state(page::Document(text.into()));
        Ok(Guarded::api(guard).open(open).open(page).needing(role, routes))
    }

    /// The OpenAPI document of these routes and of those that serve it.
    pub fn document(&self, open: OpenApi, routes: OpenApi) -> OpenApi {
        let mut document = routes;
        document.merge(open);
        document.merge(page::routes().into_openapi());
        self.complete(&mut document);
        document
    }

    fn complete(&self, document: &mut OpenApi) {
        let mut info = Info::new(self.title, env!("CARGO_PKG_VERSION"));
        info.description = Some(self.description.to_owned());
        let mut license = License::new("MIT");
        license.identifier = Some("MIT".to_owned());
        info.license = Some(license);
        document.info = info;
        // Wherever the document was fetched from: a service or the gateway.
        document.servers = Some(vec![Server::new("/")]);
        document.tags = Some(self.tags.iter().chain([&common::SERVICE]).map(tag).collect());
        for operation in operations(document) {
            if !common::is_of_the_service(operation) {
                (self.complete)(operation);
            }
            common::complete(operation);
            refusals::render(operation);
            common::complete_responses(operation);
        }
        let responses = shared::responses(operations(document));
        let parameters = shared::parameters(operations(document));
        let components = document.components.get_or_insert_with(Components::new);
        components.responses.extend(responses);
        components.parameters.extend(parameters);
        common::complete_components(components);
    }
}

fn tag(&(name, description): &(&str, &str)) -> Tag {
    let mut tag = Tag::new(name);
    tag.description = Some(description.to_owned());
    tag
}

fn operations(document: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    let items = document.paths.paths.values_mut();
    items
        .flat_map(|item| {
            [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete]
        })
        .flatten()
}
