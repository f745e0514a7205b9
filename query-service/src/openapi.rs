//! The OpenAPI documents of this service, and what all queries share in them.

use crate::router;
use axum::http::StatusCode;
use service_runtime::auth::Role;
use service_runtime::openapi::add_refusals;
use service_runtime::paging;
use service_runtime::problem::Problem;
use service_runtime::refusals;
use service_runtime::server::{Api, Operations};
use utoipa::IntoParams;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{Header, OpenApi, RefOr};
use uuid::Uuid;

/// Groups of operations.
pub const ANALYTICS: &str = "Analytics";
pub const LISTS: &str = "Lists";
pub const INVOICES: &str = "Invoices";

/// The API.
pub const API: Api = Api {
    title: "Query service",
    description: "Answers from views, which events from the command service keep. 404 means that \
                  no event about the thing has arrived; a moment after a command that may only be \
                  the lag. Cancelled and refunded orders are in none of the sums. Unknown \
                  parameters are ignored; times are ISO 8601 in UTC; money is an exact decimal \
                  number.",
    tags: &[
        (ANALYTICS, "Sums, and how far they are behind."),
        (LISTS, "Products, orders and users as they stand."),
        (INVOICES, "What customers ordered in a month."),
    ],
    role: Role::Reader,
    complete,
};

/// The operations port.
pub const OPERATIONS: Operations = Operations { title: "Query service: operations" };

/// The OpenAPI document of the API.
pub fn openapi() -> OpenApi {
    API.openapi(router::routes().into_openapi())
}

/// The OpenAPI document of the operations port.
pub fn operations_openapi() -> OpenApi {
    OPERATIONS.openapi(OpenApi::default())
}

refusals! {
    /// Why there is no answer about a product.
    pub NoProduct:
        Problem::bad_request("Invalid product id").detail("The id in the path is not valid."),
        Problem::not_found("Product not found").detail("No event about the product has arrived."),
}

/// What a client wants to see, by parameters.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is a Wish when it is read")]
struct WishParameters {
    /// Wait until the views show this event: the `X-Event-Id` of a command.
    #[param(required = false, example = "01a1fdec-19e5-7476-ab1e-c46314bd80d6")]
    after: Uuid,
    /// For how many milliseconds at most.
    #[param(required = false, minimum = 0, maximum = 10000, default = 1000, example = 1000)]
    wait: i64,
    /// Rather no answer than one that does not show the event.
    #[param(required = false, default = false, example = true)]
    strict: bool,
}

/// The same by headers. Parameters win.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is a Wish when it is read")]
struct WishHeaders {
    /// The same as `after`.
    #[param(
        rename = "X-After-Event",
        required = false,
        example = "01a1fdec-19e5-7476-ab1e-c46314bd80d6"
    )]
    after: Uuid,
    /// The same as `wait`.
    #[param(
        rename = "X-Wait",
        required = false,
        minimum = 0,
        maximum = 10000,
        default = 1000,
        example = 1000
    )]
    wait: i64,
    /// The same as `strict`.
    #[param(rename = "X-Strict", required = false, default = false, example = true)]
    strict: bool,
}

fn complete(operation: &mut Operation) {
    let is_list = takes(operation, "cursor");
    let wish = [WishParameters::into_params(|| None), WishHeaders::into_params(|| None)];
    operation.parameters.get_or_insert_default().extend(wish.into_iter().flatten().map(RefOr::T));
    add_refusals(
        operation,
        &[
            Problem::bad_request("Invalid query parameters")
                .detail("A parameter is wrong or missing; see `errors`."),
            Problem::new(StatusCode::GATEWAY_TIMEOUT, "Not visible yet").detail(
                "With `strict`: the event that was waited for is not in the views yet, or is a dead \
                 letter.",
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
        .description(Some("There if the event that was waited for is not shown yet."))
        .example(Some("true".into()))
        .build()
}
