//! What all queries share in the OpenAPI documents of this service.

use crate::read_your_writes;
use service_runtime::auth::Role;
use service_runtime::openapi::add_refusals;
use service_runtime::paging;
use service_runtime::problem::Problem;
use service_runtime::server::Api;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Header, RefOr};

/// Tags of operations.
pub const ANALYTICS: &str = "Analytics";
pub const LISTS: &str = "Lists";
pub const INVOICES: &str = "Invoices";

/// The API.
pub const API: Api = Api {
    title: "Query service",
    description: "Serves views that are updated by the events of the command service. 404 means \
                  that no event about the resource has been applied; shortly after a command, the \
                  event may still be in progress. No total includes cancelled and refunded \
                  orders. Unknown parameters are ignored. Times are ISO 8601 in UTC. Money is an \
                  exact decimal number.",
    tags: &[
        (ANALYTICS, "Totals, and how current they are."),
        (LISTS, "The current state of products, orders and users."),
        (INVOICES, "Monthly invoices of customers."),
    ],
    role: Role::Reader,
    complete,
};

fn complete(operation: &mut Operation) {
    let is_list = takes(operation, "cursor");
    operation.parameters.get_or_insert_default().extend(read_your_writes::parameters());
    add_refusals(
        operation,
        &[
            Problem::bad_request("Invalid query parameters")
                .detail("A parameter is missing or invalid; see `errors`."),
            read_your_writes::not_visible(
                "With `strict`: the views do not show the event yet, or it is a dead letter.",
            ),
        ],
    );
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if matches!(status.as_str(), "200" | "404") {
            response.headers.insert("X-Stale".to_owned(), stale_header().into());
        }
        if status == "200" && is_list {
            let (name, header) = paging::next_cursor_header();
            response.headers.insert(name.to_owned(), header.into());
        }
    }
}

fn takes(operation: &Operation, parameter: &str) -> bool {
    operation
        .parameters
        .iter()
        .flatten()
        .any(|one| matches!(one, RefOr::T(Parameter { name, .. }) if name == parameter))
}

fn stale_header() -> Header {
    let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["true"]));
    HeaderBuilder::new()
        .schema(Some(schema))
        .description(Some("Present if the views do not show the event yet."))
        .example(Some("true".into()))
        .build()
}
