//! Query parameters.
//!
//! Parameters are declared once, with [`parameters!`](crate::parameters!): the declaration
//! makes the struct, its parser and its description in the OpenAPI document. The parser
//! checks every parameter, so that the response lists all errors.

use crate::format::{Format, Message, camel_case};
use crate::problem::{FieldError, Problem};
use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use serde_json::Value;
use std::collections::HashMap;
use utoipa::PartialSchema;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{RefOr, Required};

/// The `error` of responses to invalid query parameters.
const INVALID: &str = "Invalid query parameters";

/// The parameters of a request, and the errors found so far.
#[derive(Debug, Default)]
pub struct Parameters {
    values: HashMap<String, String>,
    errors: Vec<FieldError>,
}

/// Extracts query parameters. Unknown parameters are ignored.
#[derive(Debug)]
pub struct Query<T>(pub T);

/// Extracts query parameters and refuses unknown ones.
#[derive(Debug)]
pub struct StrictQuery<T>(pub T);

/// A struct of query parameters.
pub trait QueryParameters: Sized {
    /// The names of the fields in Rust.
    const FIELDS: &'static [&'static str];

    /// Reads the parameters. Errors are added to `parameters` and give none.
    fn read(parameters: &mut Parameters) -> Option<Self>;
}

/// Defines a struct of query parameters. Each has a [`Format`]; a parameter of
/// `Option<Format>` may be absent. An example can follow after `=`.
///
/// - `validate function(one, other);` adds a check of parameters against each other, which
///   runs if these are valid by themselves. Their values are `Copy`.
/// - `alias "other_name" => "name";` accepts another name.
#[macro_export]
macro_rules! parameters {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident {
            $(
                $(#[doc = $doc:literal])*
                $field_visibility:vis $field:ident: $format:ty $(= $example:expr)?
            ),+ $(,)?
        }
        $(alias $alias:literal => $original:literal;)?
        $(validate $validate:ident($($checked:ident),+);)?
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        $visibility struct $name {
            $(
                $(#[doc = $doc])*
                $field_visibility $field: <$format as $crate::format::Format>::Value,
            )+
        }

        impl $crate::parameters::QueryParameters for $name {
            const FIELDS: &'static [&'static str] = &[$(stringify!($field)),+];

            fn read(parameters: &mut $crate::parameters::Parameters) -> Option<Self> {
                $(parameters.alias($alias, $original);)?
                $(let $field = parameters.read::<$format>(stringify!($field));)+
                $(if let ($(Some($checked),)+) = ($($checked,)+) {
                    $validate($($checked,)+ parameters);
                })?
                Some(Self { $($field: $field?),+ })
            }
        }

        impl utoipa::IntoParams for $name {
            fn into_params(
                _: impl Fn() -> Option<utoipa::openapi::path::ParameterIn>,
            ) -> Vec<utoipa::openapi::path::Parameter> {
                vec![$({
                    #[allow(unused_mut, unused_assignments)]
                    let mut example = None;
                    $(example = Some(serde_json::Value::from($example));)?
                    $crate::parameters::describe::<$format>(
                        stringify!($field),
                        concat!($($doc, "\n"),*),
                        example,
                    )
                }),+]
            }
        }
    };
}

/// The description of a parameter.
pub fn describe<F: Format>(
    field: &'static str,
    description: &str,
    example: Option<Value>,
) -> Parameter {
    let mut schema = F::Schema::schema();
    let of_format = match &mut schema {
        RefOr::T(Schema::Object(object)) => std::mem::take(&mut object.examples),
        RefOr::T(Schema::AnyOf(any)) => std::mem::take(&mut any.examples),
        _ => Vec::new(),
    };
    let lines: Vec<&str> = description.lines().map(str::trim).collect();
    ParameterBuilder::new()
        .name(camel_case(field))
        .parameter_in(ParameterIn::Query)
        .required(if F::absent().is_some() { Required::False } else { Required::True })
        .description(Some(lines.join("\n").trim()))
        .example(example.or_else(|| of_format.into_iter().next()))
        .schema(Some(schema))
        .build()
}

impl Parameters {
    /// The query parameters of an address.
    ///
    /// # Errors
    /// 400 if the query string is malformed.
    pub fn of(uri: &Uri) -> Result<Self, Problem> {
        let axum::extract::Query(values) = axum::extract::Query::try_from_uri(uri)
            .map_err(|_| Problem::bad_request(INVALID).detail("The query string is malformed."))?;
        Ok(Self { values, errors: Vec::new() })
    }

    /// Parameters with these names and values.
    pub fn new(values: HashMap<String, String>) -> Self {
        Self { values, errors: Vec::new() }
    }

    /// Accepts another name for a parameter, unless its own name is used.
    pub fn alias(&mut self, alias: &str, name: &str) {
        if let Some(value) = self.values.get(alias).cloned() {
            self.values.entry(name.to_owned()).or_insert(value);
        }
    }

    /// Reads a parameter, by the name of its field in Rust.
    pub fn read<F: Format>(&mut self, field: &'static str) -> Option<F::Value> {
        let name = camel_case(field);
        let value = match self.values.get(&*name) {
            Some(value) => F::parse(value),
            None => F::absent().ok_or(Message::Borrowed("is required")),
        };
        value.map_err(|message| self.error(&name, message)).ok()
    }

    /// Adds an error.
    pub fn error(&mut self, name: &str, message: impl Into<Message>) {
        self.errors.push(FieldError { field: name.to_owned(), message: message.into() });
    }

    /// The errors found so far.
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// Parses all parameters.
    ///
    /// # Errors
    /// 400 with everything that is wrong.
    pub fn parse<T: QueryParameters>(mut self) -> Result<T, Problem> {
        let read = T::read(&mut self);
        let errors = self.errors;
        read.filter(|_| errors.is_empty())
            .ok_or_else(|| Problem::bad_request(INVALID).detail("See errors.").fields(errors))
    }

    fn refuse_unknown(&mut self, fields: &[&'static str]) {
        let known: Vec<_> = fields.iter().map(|field| camel_case(field)).collect();
        let is_unknown = |name: &&String| !known.iter().any(|known| known == *name);
        let mut unknown: Vec<String> = self.values.keys().filter(is_unknown).cloned().collect();
        unknown.sort_unstable();
        for name in unknown {
            self.error(&name, format!("is unknown; the parameters are {}", known.join(", ")));
        }
    }
}

impl<S: Send + Sync, T: QueryParameters> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Parameters::of(&parts.uri)?.parse().map(Self)
    }
}

impl<S: Send + Sync, T: QueryParameters> FromRequestParts<S> for StrictQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut parameters = Parameters::of(&parts.uri)?;
        parameters.refuse_unknown(T::FIELDS);
        parameters.parse().map(Self)
    }
}

impl<A: QueryParameters, B: QueryParameters> QueryParameters for (A, B) {
    const FIELDS: &'static [&'static str] = &[];

    fn read(parameters: &mut Parameters) -> Option<Self> {
        let read = (A::read(parameters), B::read(parameters));
        Some((read.0?, read.1?))
    }
}

/// Parses a text without NUL, which PostgreSQL does not accept.
///
/// # Errors
/// What it must be.
pub fn text(text: &str) -> Result<String, Message> {
    if text.contains('\0') { Err("must not contain NUL".into()) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::Id;

    crate::parameters! {
        struct Wanted { user_id: Id, order_id: Option<Id> = 7 }
        alias "user_id" => "userId";
    }

    fn parse(query: &str) -> Result<Wanted, Problem> {
        Parameters::of(&format!("/?{query}").parse().unwrap()).and_then(Parameters::parse)
    }

    #[test]
    fn an_alias_is_accepted_but_the_name_has_precedence() {
        assert_eq!(parse("user_id=1").unwrap(), Wanted { user_id: 1, order_id: None });
        assert_eq!(parse("user_id=1&userId=2").unwrap().user_id, 2);
        assert!(parse("").is_err());
    }

    #[test]
    fn every_error_is_reported() {
        let problem = serde_json::to_value(parse("orderId=x").unwrap_err()).unwrap();
        let fields = problem["errors"].as_array().unwrap().iter().map(|error| &error["field"]);
        assert_eq!(fields.collect::<Vec<_>>(), ["userId", "orderId"]);
    }

    #[test]
    fn only_required_parameters_are_documented_as_required() {
        let parameters = <Wanted as utoipa::IntoParams>::into_params(|| None);
        let parameters = serde_json::to_value(parameters).unwrap();
        assert_eq!(parameters[0]["name"], "userId");
        assert_eq!(parameters[0]["required"], true);
        assert_eq!(parameters[1]["example"], 7);
        assert_eq!(parameters[1]["required"], false);
    }
}
