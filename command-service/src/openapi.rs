//! The OpenAPI documents of this service, and what all commands share in them.

use crate::{answer, idempotency, outbox, router};
use axum::http::StatusCode;
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
    description: "Takes commands: products, orders, users. What became of them is read at the \
                  query service. Bodies are JSON objects, of which unknown members are ignored; \
                  times are ISO 8601 in UTC; money is an exact decimal number.",
    tags: &[
        ("Products", "Name, category, price and stock."),
        ("Orders", "Placing orders, and what becomes of them."),
        ("Users", "Users, who are customers, and their accounts, which have their address."),
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

/// What ties the documents of bodies to the rules that read them.
#[cfg(test)]
pub mod checks {
    use serde_json::{Value, json};
    use service_runtime::json_body::Members;
    use service_runtime::problem::Problem;
    use std::collections::BTreeSet;
    use utoipa::PartialSchema;

    /// Checks that a body is documented as its rule takes it: with examples that it takes,
    /// and members that it reads, just those of them required that it requires.
    pub fn body_is_as_documented<T: PartialSchema, R>(rule: fn(&Members) -> Result<R, Problem>) {
        let schema = serde_json::to_value(T::schema()).unwrap();
        let example = &schema["examples"][0];
        assert!(rule(&members(example)).is_ok(), "{example}");
        for name in schema["properties"].as_object().unwrap().keys() {
            let mut wrong = example.clone();
            wrong[name] = json!({"wrong": true});
            assert_eq!(refused(rule, &wrong, ""), [name.clone()].into(), "{wrong}");
        }
        let missing = refused(rule, &json!({}), "is required");
        assert_eq!(missing, texts(&schema["required"]), "{schema}");
        // Whatever requires nothing is a change, which must name something.
        let is_change = missing.is_empty();
        assert_eq!(is_change, !schema["anyOf"].is_null(), "{schema}");
        assert!(rule(&members(&json!({}))).is_err(), "{schema}");
    }

    /// The fields that a rule refuses, with a message that contains the text.
    pub fn refused<R>(
        rule: fn(&Members) -> Result<R, Problem>,
        body: &Value,
        message: &str,
    ) -> BTreeSet<String> {
        let Err(problem) = rule(&members(body)) else { return BTreeSet::new() };
        let problem = serde_json::to_value(problem).unwrap();
        let errors = problem["errors"].as_array().into_iter().flatten();
        errors
            .filter(|error| error["message"].as_str().unwrap().contains(message))
            .map(|error| error["field"].as_str().unwrap().to_owned())
            .collect()
    }

    fn members(body: &Value) -> Members {
        serde_json::from_str(&body.to_string()).unwrap()
    }

    fn texts(list: &Value) -> BTreeSet<String> {
        list.as_array()
            .into_iter()
            .flatten()
            .map(|text| text.as_str().unwrap().to_owned())
            .collect()
    }
}
