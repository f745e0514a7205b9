//! The error responses of operations.
//!
//! Each is documented by the [`Problem`] that the service returns. An operation declares
//! its own at the handler ([`refusals!`](crate::refusals)), others are added to many
//! operations.

use crate::problem::Problem;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{AllOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Content, Ref, RefOr, Response};

/// Defines types that document error responses of an operation:
/// `responses(…, Refused)` in its `#[utoipa::path(…)]`. They are separated by semicolons.
#[macro_export]
macro_rules! refusals {
    ($($(#[$attribute:meta])* $visibility:vis $name:ident: $($refusal:expr),+ $(,)?);+ $(;)?) => {$(
        $(#[$attribute])*
        #[derive(Debug)]
        $visibility struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<
                String,
                utoipa::openapi::RefOr<utoipa::openapi::Response>,
            > {
                $crate::openapi::refusals_by_status(&[$($refusal),+])
            }
        }
    )+};
}

/// The response to an invalid body, in general.
pub fn invalid_body(error: &'static str) -> Problem {
    Problem::bad_request(error)
        .detail("The body is not a JSON object, or a field is invalid; see `errors`.")
}

/// The response to an invalid id in the path.
pub fn invalid_id(error: &'static str) -> Problem {
    Problem::bad_request(error).detail("The id in the path is invalid.")
}

/// Error responses by status.
pub fn refusals_by_status(refusals: &[Problem]) -> BTreeMap<String, RefOr<Response>> {
    let mut responses = BTreeMap::new();
    add_to(&mut responses, refusals);
    responses
}

/// Adds error responses to an operation.
pub fn add_refusals(operation: &mut Operation, refusals: &[Problem]) {
    add_to(&mut operation.responses.responses, refusals);
}

/// All errors with one status become one response.
fn add_to(responses: &mut BTreeMap<String, RefOr<Response>>, refusals: &[Problem]) {
    for refusal in refusals {
        let response = responses
            .entry(refusal.status().as_str().to_owned())
            .or_insert_with(|| Response::default().into());
        let (RefOr::T(response), Ok(body)) = (response, serde_json::to_value(refusal)) else {
            continue;
        };
        let [error, detail] = ["error", "detail"].map(|field| body[field].as_str().unwrap_or(""));
        let separator = if response.description.is_empty() { "" } else { "\n\n" };
        response.description += &format!("{separator}`{error}`: {detail}");
        let content = response.content.entry("application/problem+json".to_owned());
        let content = content.or_insert_with(|| Content::default().into());
        if let RefOr::T(content) = content {
            let example = ExampleBuilder::new().value(Some(body.clone())).build();
            content.examples.insert(error.to_owned(), example.into());
            content.schema = Some(schema(content.examples.keys().cloned()));
        }
    }
}

/// The schema of a problem with one of these texts.
fn schema(errors: impl Iterator<Item = String>) -> RefOr<Schema> {
    let error = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(errors));
    let one_of_these = ObjectBuilder::new().property("error", error);
    let problem = Ref::from_schema_name(Problem::name());
    AllOfBuilder::new().item(problem).item(one_of_these).into()
}

/// The extension of a header that is always present. The library has no property for it.
pub fn always() -> Option<Extensions> {
    Some(Extensions::from_iter([("required", true)]))
}
