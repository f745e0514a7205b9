//! The OpenAPI documents of this service, and what all commands share in them.

use crate::{idempotency, outbox, router};
use service_runtime::auth::Role;
use service_runtime::openapi::{add_refusals, always};
use service_runtime::problem::Problem;
use service_runtime::server::{self, Api};
use utoipa::openapi::OpenApi;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{Header, RefOr};

/// The API.
pub const API: Api = Api {
    title: "Command service",
    description: "Accepts commands that create and change products, orders and users. Read the \
                  results from the query service. Bodies are JSON objects; unknown fields are \
                  ignored. Times are ISO 8601 in UTC. Money is an exact decimal number.",
    tags: &[
        ("Products", "Products have a name, a category, a price and a stock."),
        ("Orders", "Place orders and change their status."),
        ("Users", "A user is a customer. Accounts of a user hold the address."),
    ],
    role: Role::Writer,
    complete,
};

/// The OpenAPI document of the API.
pub fn openapi() -> OpenApi {
    API.openapi(router::routes().into_openapi())
}

/// The OpenAPI document of the operations port.
pub fn operations_openapi() -> OpenApi {
    let routes = outbox::routes().into_openapi();
    server::operations_openapi("Command service: operations", routes)
}

fn complete(operation: &mut Operation) {
    operation.parameters.get_or_insert_default().push(idempotency::parameter().into());
    add_refusals(
        operation,
        &[
            idempotency::invalid_key(),
            idempotency::key_reused(),
            Problem::unavailable("Outbox full").detail(
                "The outbox has reached its limit of unpublished events. The command had no \
                 effect; retry later.",
            ),
            Problem::unavailable("Outcome unknown").detail(
                "The connection to the database was lost during the commit. The command took \
                 effect completely or not at all. Retry with the same idempotency key, or check \
                 before you retry.",
            ),
        ],
    );
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let is_created = status == "201";
        if status.starts_with('2') {
            let uuid = string().format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
            let description = "The id of the event of the command; absent if a status change had \
                               no effect. A query with `after=<event id>` waits until the views \
                               show the event.";
            let example = "01a1fdec-19e5-7476-ab1e-c46314bd80d6";
            let header = header(uuid, description, example, is_created);
            response.headers.insert("X-Event-Id".to_owned(), header.into());
        }
        if is_created {
            let description = "The path of the resource in the query service; for an account, of \
                               its user.";
            let path = string().pattern(Some("^/api/"));
            let header = header(path, description, "/api/products/1", true);
            response.headers.insert("Location".to_owned(), header.into());
        }
    }
}

fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn header(schema: ObjectBuilder, description: &str, example: &str, is_always: bool) -> Header {
    HeaderBuilder::new()
        .schema(Some(schema))
        .description(Some(description))
        .example(Some(example.into()))
        .extensions(always().filter(|_| is_always))
        .build()
}
