//! The error responses of operations.
//!
//! Each is documented by the [`Problem`] that the service returns. An operation declares
//! its own at the handler ([`refusals!`](crate::refusals)), others are added to many
//! operations. In the end, all errors with one status become one response.

use crate::problem::Problem;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{AllOf, Object, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Content, ContentBuilder, Ref, RefOr, Response};

/// The extension that holds errors until they become a response.
const NOTED: &str = "x-refusals";

/// Defines a type that documents error responses of an operation:
/// `responses(…, Refused)` in its `#[utoipa::path(…)]`.
#[macro_export]
macro_rules! refusals {
    ($(#[$attribute:meta])* $visibility:vis $name:ident: $($refusal:expr),+ $(,)?) => {
        $(#[$attribute])*
        #[derive(Debug)]
        $visibility struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<
                String,
                utoipa::openapi::RefOr<utoipa::openapi::Response>,
            > {
                $crate::openapi::noted(&[$($refusal),+])
            }
        }
    };
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
pub fn noted(refusals: &[Problem]) -> BTreeMap<String, RefOr<Response>> {
    let mut responses = BTreeMap::new();
    for refusal in refusals {
        note(&mut responses, refusal);
    }
    responses
}

/// Adds error responses to an operation.
pub fn add_refusals(operation: &mut Operation, refusals: &[Problem]) {
    for refusal in refusals {
        note(&mut operation.responses.responses, refusal);
    }
}

fn note(responses: &mut BTreeMap<String, RefOr<Response>>, refusal: &Problem) {
    let status = refusal.status().as_str().to_owned();
    let response = responses.entry(status).or_insert_with(|| Response::default().into());
    if let RefOr::T(response) = response {
        let noted = response.extensions.get_or_insert_default().entry(NOTED.to_owned());
        if let (Value::Array(noted), Ok(refusal)) =
            (noted.or_insert_with(|| json!([])), serde_json::to_value(refusal))
        {
            noted.push(refusal);
        }
    }
}

/// Turns the collected errors into responses.
pub(super) fn render(operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(response) = response else { continue };
        let noted = response.extensions.as_mut().and_then(|noted| noted.remove(NOTED));
        response.extensions =
            response.extensions.take().filter(|extensions| !extensions.is_empty());
        if let Some(Value::Array(refusals)) = noted {
            describe(response, &refusals);
        }
    }
}

fn describe(response: &mut Response, refusals: &[Value]) {
    let text =
        |refusal: &Value, field: &str| refusal[field].as_str().unwrap_or_default().to_owned();
    for refusal in refusals {
        let separator = if response.description.is_empty() { "" } else { "\n\n" };
        response.description +=
            &format!("{separator}`{}`: {}", text(refusal, "error"), text(refusal, "detail"));
    }
    let content = content(refusals, refusals.iter().map(|refusal| text(refusal, "error")));
    response.content.insert("application/problem+json".to_owned(), content.into());
}

/// The schema of a problem with one of these texts.
fn content(refusals: &[Value], texts: impl Iterator<Item = String> + Clone) -> Content {
    let distinct: BTreeSet<String> = texts.clone().collect();
    let error = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(distinct));
    let one_of_these = ObjectBuilder::new().property("error", error);
    let mut schema = AllOf::new();
    schema.items.push(Ref::from_schema_name(Problem::name()).into());
    schema.items.push(Object::from(one_of_these).into());
    let examples = texts
        .zip(refusals)
        .map(|(text, refusal)| (text, ExampleBuilder::new().value(Some(refusal.clone())).build()));
    ContentBuilder::new().schema(Some(Schema::AllOf(schema))).examples_from_iter(examples).build()
}

/// The extension of a header that is always present. The library has no property for it.
pub fn always() -> Option<Extensions> {
    Some(Extensions::from_iter([("required", true)]))
}
