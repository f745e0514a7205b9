//! What the document says of all commands.

use crate::{answer, idempotency};
use axum::http::StatusCode;
use service_runtime::documents::{self, Api};
use service_runtime::problem::Problem;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{RefOr, Response};

/// The API.
pub const API: Api = Api {
    title: "Command service",
    description: "Takes commands: products, orders, users. What became of them is read at the \
                  query service. Bodies are JSON objects, of which unknown members are ignored; \
                  times are ISO 8601 in UTC; money is an exact decimal number.",
    tags: &[
        ("Products", "Name, category, price and stock."),
        ("Orders", "Placing orders, and what becomes of them."),
        ("Users", "Users, who are customers, and their accounts, which have their address."),
    ],
    complete,
};

fn complete(operation: &mut Operation) {
    operation.parameters.get_or_insert_default().push(idempotency::parameter().into());
    documents::add_refusals(
        operation,
        &[
            Problem::bad_request("Invalid idempotency key").detail(
                "The key is not 1 to 255 visible ASCII characters without blanks, or is there \
                 twice.",
            ),
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Idempotency key reused")
                .detail("The key was used with another body."),
            Problem::unavailable("Outbox full").detail(
                "As many events wait for the broker as may. Nothing was changed; come back later.",
            ),
            Problem::unavailable("Outcome unknown").detail(
                "The database was lost while it committed: all or nothing took effect. Send it \
                 again with the same key, or look before you repeat it.",
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
        response.headers.insert("X-Event-Id".to_owned(), answer::event_id_header(status).into());
    }
    if status == "201" {
        response.headers.insert("Location".to_owned(), answer::location_header().into());
    }
}
