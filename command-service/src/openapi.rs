//! The OpenAPI documents of this service, and what all commands share in them.

use crate::{idempotency, outbox, response, router};
use service_runtime::auth::Role;
use service_runtime::openapi::add_refusals;
use service_runtime::problem::Problem;
use service_runtime::server::{Api, Operations};
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{RefOr, Response};

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

/// The operations port.
pub const OPERATIONS: Operations = Operations { title: "Command service: operations" };

/// The OpenAPI document of the API.
pub fn openapi() -> OpenApi {
    API.openapi(router::routes().into_openapi())
}

/// The OpenAPI document of the operations port.
pub fn operations_openapi() -> OpenApi {
    OPERATIONS.openapi(outbox::routes().into_openapi())
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
        if let RefOr::T(response) = response {
            add_headers(status, response);
        }
    }
}

fn add_headers(status: &str, response: &mut Response) {
    if status.starts_with('2') {
        response.headers.insert("X-Event-Id".to_owned(), response::event_id_header(status).into());
    }
    if status == "201" {
        response.headers.insert("Location".to_owned(), response::location_header().into());
    }
}
