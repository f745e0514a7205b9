//! The refusals of operations, with their fixed texts.
//!
//! They are documented as what they are, [`Problem`]s. An operation notes its own at its
//! handler ([`refusals!`](crate::refusals)), others are added to many operations, and in
//! the end those of one status become one response.

use crate::problem::Problem;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{AllOf, Object, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Content, ContentBuilder, Ref, RefOr, Response};

/// Where refusals are noted until they are made a response of.
const NOTED: &str = "x-refusals";

/// Defines a type that documents refusals of an operation:
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

/// Refusals by status, noted.
pub fn noted(refusals: &[Problem]) -> BTreeMap<String, RefOr<Response>> {
    let mut responses = BTreeMap::new();
    for refusal in refusals {
        note(&mut responses, refusal);
    }
    responses
}

/// Notes further refusals of an operation.
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

/// Makes responses of what is noted.
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
        |refusal: &Value, member: &str| refusal[member].as_str().unwrap_or_default().to_owned();
    for refusal in refusals {
        let separator = if response.description.is_empty() { "" } else { "\n\n" };
        response.description +=
            &format!("{separator}`{}`: {}", text(refusal, "error"), text(refusal, "detail"));
    }
    let content = content(refusals, refusals.iter().map(|refusal| text(refusal, "error")));
    response.content.insert("application/problem+json".to_owned(), content.into());
}

/// A problem with one of these texts.
fn content(refusals: &[Value], texts: impl Iterator<Item = String> + Clone) -> Content {
    let error = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(texts.clone()));
    let one_of_these = ObjectBuilder::new().property("error", error);
    let mut schema = AllOf::new();
    schema.items.push(Ref::from_schema_name(Problem::name()).into());
    schema.items.push(Object::from(one_of_these).into());
    let examples = texts
        .zip(refusals)
        .map(|(text, refusal)| (text, ExampleBuilder::new().value(Some(refusal.clone())).build()));
    ContentBuilder::new().schema(Some(Schema::AllOf(schema))).examples_from_iter(examples).build()
}

/// The extension by which a header says that it is always there, which the library has
/// no member for.
pub fn always() -> Option<Extensions> {
    Some(Extensions::from_iter([("required", true)]))
}
