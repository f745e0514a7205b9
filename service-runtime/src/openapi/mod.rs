//! OpenAPI 3.1 documents, built from the routes of a service.
//!
//! Each operation is described at its handler, and each response by its type. This
//! module adds what all operations share, once: headers, credentials, the required role
//! and the errors that any operation can return. A document is built at start, not per
//! request.

mod common;
mod refusals;
mod schemas;
mod shared;

pub use common::TAG;
pub use refusals::{add_refusals, always, invalid_body, invalid_id, refusals_by_status};
pub use schemas::{AtLeastOne, Id, Time};

use access::Role;
use serde_json::Value;
use utoipa::openapi::info::{InfoBuilder, LicenseBuilder};
use utoipa::openapi::path::Operation;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Components, OpenApi, Server};

/// The extension of an operation that names the role it requires. An operation without
/// it is open to everyone.
pub const REQUIRED_ROLE: &str = "x-required-role";

/// Marks every operation of a document as requiring a role.
pub(crate) fn require(role: Role, document: &mut OpenApi) {
    for operation in operations_mut(document) {
        let extensions = operation.extensions.get_or_insert_default();
        extensions.insert(REQUIRED_ROLE.to_owned(), Value::from(role.name()));
    }
}

/// Adds what all operations share, and the description of the whole.
pub(crate) fn complete(
    document: &mut OpenApi,
    title: &str,
    description: &str,
    tags: &[(&str, &str)],
) {
    let license = LicenseBuilder::new().name("MIT").identifier(Some("MIT"));
    document.info = InfoBuilder::new()
        .title(title)
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(description))
        .license(Some(license.build()))
        .build();
    // Relative to where the document was fetched from: a service or the gateway.
    document.servers = Some(vec![Server::new("/")]);
    let tag = |(name, description): &(&str, &str)| {
        TagBuilder::new().name(*name).description(Some(*description)).build()
    };
    document.tags = Some(tags.iter().chain([&common::SERVICE]).map(tag).collect());
    for operation in operations_mut(document) {
        common::complete(operation);
        common::complete_responses(operation);
    }
    let responses = shared::responses(operations_mut(document));
    let parameters = shared::parameters(operations_mut(document));
    let components = document.components.get_or_insert_with(Components::new);
    components.responses.extend(responses);
    components.parameters.extend(parameters);
    common::complete_components(components);
}

/// The operations of a document.
pub(crate) fn operations_mut(document: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    let items = document.paths.paths.values_mut();
    items
        .flat_map(|item| {
            [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete]
        })
        .flatten()
}
