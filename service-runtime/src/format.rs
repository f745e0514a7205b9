//! Formats of the values in requests.
//!
//! A format says once how a value is written, parsed and documented. Structs of request
//! bodies ([`body!`](crate::body)) and of query parameters
//! ([`parameters!`](crate::parameters!)) name a format for each of their fields.

use crate::problem::FieldError;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use utoipa::PartialSchema;
use utoipa::openapi::schema::{ObjectBuilder, Type};

/// What a value must be, as the `message` of a field error.
pub type Message = Cow<'static, str>;

/// A format of a value in a request.
pub trait Format {
    /// The parsed value.
    type Value;

    /// The schema of a query parameter in this format.
    type Schema: PartialSchema;

    /// Whether JSON has it as a string. Other values are parsed from their JSON text, so
    /// that numbers stay exact.
    const IS_STRING: bool;

    /// Parses a string, or the JSON text of another value.
    ///
    /// # Errors
    /// What the value must be.
    fn parse(text: &str) -> Result<Self::Value, Message>;

    /// The value of an absent field; none if the field is required.
    fn absent() -> Option<Self::Value> {
        None
    }

    /// Reads a JSON value. An error is added to `field` and gives none.
    fn read(json: &RawValue, field: Field<'_>) -> Option<Self::Value> {
        field.accept(if Self::IS_STRING {
            let text = serde_json::from_str::<String>(json.get());
            text.map_err(|_| "must be a string".into()).and_then(|text| Self::parse(&text))
        } else {
            Self::parse(json.get())
        })
    }
}

/// A field that may be absent or null.
impl<F: Format> Format for Option<F> {
    type Value = Option<F::Value>;
    type Schema = F::Schema;

    const IS_STRING: bool = F::IS_STRING;

    fn parse(text: &str) -> Result<Self::Value, Message> {
        F::parse(text).map(Some)
    }

    fn absent() -> Option<Self::Value> {
        Some(None)
    }

    fn read(json: &RawValue, field: Field<'_>) -> Option<Self::Value> {
        if json.get() == "null" { Some(None) } else { F::read(json, field).map(Some) }
    }
}

/// Defines a format: its value, the parser and the schema.
///
/// ```ignore
/// format_of! {
///     /// A name.
///     pub Name: String, string, parse = parse_name, schema = name_schema();
/// }
/// ```
#[macro_export]
macro_rules! format_of {
    ($(
        $(#[$meta:meta])*
        $visibility:vis $name:ident: $value:ty, $json:ident, parse = $parse:expr,
        schema = $schema:expr $(, default = $default:expr)?;
    )+) => {$(
        $(#[$meta])*
        #[derive(Debug)]
        $visibility struct $name;

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $schema.into()
            }
        }

        impl utoipa::ToSchema for $name {}

        impl $crate::format::Format for $name {
            type Value = $value;
            type Schema = Self;

            const IS_STRING: bool = $crate::format_of!(@is_string $json);

            fn parse(text: &str) -> Result<Self::Value, $crate::format::Message> {
                let parse: fn(&str) -> Result<$value, $crate::format::Message> = $parse;
                parse(text)
            }

            $(fn absent() -> Option<Self::Value> {
                Some($default)
            })?
        }
    )+};
    (@is_string string) => { true };
    (@is_string literal) => { false };
}

/// Where a value stands in a body, and the errors of the body so far.
#[derive(Debug)]
pub struct Field<'a> {
    pub(crate) path: Path<'a>,
    pub(crate) errors: &'a mut Vec<FieldError>,
}

/// The path of a value in a body, such as `items[0].quantity`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Path<'a> {
    /// The body itself.
    Body,
    /// A field of an object.
    Field(&'a Path<'a>, &'a str),
    /// An element of a list.
    Element(&'a Path<'a>, usize),
}

impl Field<'_> {
    /// The value of a result. An error is added to the errors of the body.
    pub fn accept<T>(self, value: Result<T, Message>) -> Option<T> {
        value.map_err(|message| self.error(message)).ok()
    }

    /// Adds an error.
    pub(crate) fn error(self, message: impl Into<Message>) {
        self.errors.push(FieldError { field: self.path.to_string(), message: message.into() });
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => Ok(()),
            Self::Field(Path::Body, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Element(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// The name of a field in JSON and query strings: `customerId` for `customer_id`.
pub fn camel_case(field: &'static str) -> Cow<'static, str> {
    if !field.contains('_') {
        return Cow::Borrowed(field);
    }
    let mut words = field.split('_');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    Cow::Owned(name)
}

/// Parses an integer in `min..=max`, written as an integer: neither `1.0` nor `"1"`.
///
/// # Errors
/// What it must be.
pub fn integer<N: TryFrom<i64>>(text: &str, min: i64, max: i64) -> Result<N, Message> {
    text.parse()
        .ok()
        .filter(|number| (min..=max).contains(number) && !text.starts_with('+'))
        .and_then(|number| N::try_from(number).ok())
        .ok_or_else(|| format!("must be an integer from {min} to {max}").into())
}

/// Parses `true` or `false`.
///
/// # Errors
/// What it must be.
pub fn boolean(text: &str) -> Result<bool, Message> {
    text.parse().map_err(|_| "must be true or false".into())
}

/// The schema of an integer.
pub fn integer_schema(min: i64, max: i64, example: impl Into<Value>) -> ObjectBuilder {
    let example: Value = example.into();
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(usize::try_from(min).ok())
        .maximum(usize::try_from(max).ok())
        .examples([example])
}

/// The schema of a string.
pub fn string_schema(example: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).examples([example])
}

/// The schema of a boolean.
pub fn boolean_schema(example: bool) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean).examples([example])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_written_as_integers_within_bounds() {
        assert_eq!(integer("7", 1, 10), Ok(7));
        for bad in ["0", "11", "+7", "1.0", "1e0", "\"7\"", "null", "-1", "99999999999999999999"] {
            assert!(integer::<i64>(bad, 1, 10).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_fields_are_in_camel_case() {
        for (field, name) in [("name", "name"), ("customer_id", "customerId"), ("a_b_c", "aBC")] {
            assert_eq!(camel_case(field), name);
        }
    }
}
