//! JSON request bodies.
//!
//! A body is declared once, with [`body!`](crate::body) or [`change!`](crate::change!):
//! the declaration makes the struct, its parser and its schema in the OpenAPI document.
//! The parser checks every field, so that the response lists all errors. Unknown
//! fields are ignored.

use crate::format::{Field, Format, Message, Path, camel_case};
use crate::problem::{FieldError, Problem};
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;
use tokio::time::timeout;
use utoipa::openapi::schema::{ArrayBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// Maximum size of a request body.
pub(crate) const MAX_BODY_BYTES: usize = 1 << 20;

/// Maximum time for a request body to arrive. A slower body is refused with 408.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// The fields of a JSON object. Their values are JSON text, so that numbers stay exact.
type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// The body of a request.
#[derive(Debug)]
pub struct JsonBody(Bytes);

/// An object in a request body.
pub trait Body: Sized {
    /// Reads the object. Errors are added to `reader` and give none.
    fn read(reader: &mut Reader<'_>) -> Option<Self>;
}

/// Defines a request body. Each field has a [`Format`]; a field of `Option<Format>` may be
/// absent or null. `named "name"` gives a field another name in JSON. `exactly one of a, b;` after
/// the fields refuses an object with both or neither.
#[macro_export]
macro_rules! body {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident {
            $(
                $(#[$field_meta:meta])*
                $field_visibility:vis $field:ident $(named $json:literal)?: $format:ty
            ),+ $(,)?
        }
        $(exactly one of $one:ident, $other:ident;)?
    ) => {
        #[derive(Clone, Debug, PartialEq, Eq, utoipa::ToSchema)]
        #[schema(rename_all = "camelCase")]
        $(#[$meta])*
        $visibility struct $name {
            $(
                $(#[$field_meta])*
                #[schema(value_type = $format $(, rename = $json)?)]
                $field_visibility $field: <$format as $crate::format::Format>::Value,
            )+
        }

        impl $crate::json_body::Body for $name {
            fn read(reader: &mut $crate::json_body::Reader<'_>) -> Option<Self> {
                $(reader.require_one(stringify!($one), stringify!($other));)?
                $(let $field = reader.field::<$format>($crate::body!(@name $field $($json)?));)+
                Some(Self { $($field: $field?),+ })
            }
        }
    };
    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $json:literal) => { $json };
}

/// Defines a request body that changes some fields of a resource. An absent field is not
/// changed; null is valid only for a field of `Option<Format>`. At least one field is
/// required.
#[macro_export]
macro_rules! change {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field_visibility:vis $field:ident: $format:ty),+ $(,)?
        }
    ) => {
        #[derive(Clone, Debug, Default, PartialEq, Eq, utoipa::ToSchema)]
        #[schema(rename_all = "camelCase")]
        $(#[$meta])*
        $visibility struct $name {
            $(
                $(#[$field_meta])*
                #[schema(value_type = $format, required = false)]
                $field_visibility $field: Option<<$format as $crate::format::Format>::Value>,
            )+
        }

        impl $crate::json_body::Body for $name {
            fn read(reader: &mut $crate::json_body::Reader<'_>) -> Option<Self> {
                reader.require_any(&[$(stringify!($field)),+]);
                $(let $field = reader.changed_field::<$format>(stringify!($field));)+
                Some(Self { $($field: $field?),+ })
            }
        }
    };
}

impl JsonBody {
    /// The bytes as received.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Parses the body.
    ///
    /// # Errors
    /// 400 with the text `error` and everything that is wrong.
    pub fn parse<B: Body>(&self, error: &'static str) -> Result<B, Problem> {
        parse(&self.0, error)
    }
}

/// Parses a body.
///
/// # Errors
/// 400 with the text `error` and everything that is wrong.
pub fn parse<B: Body>(json: &[u8], error: &'static str) -> Result<B, Problem> {
    let fields: Fields<'_> = serde_json::from_slice(json).map_err(|cause| {
        Problem::bad_request(error).detail(format!("The body is not a JSON object: {cause}."))
    })?;
    let mut errors = Vec::new();
    let mut is_empty_change = None;
    let body = B::read(&mut Reader {
        fields: &fields,
        path: Path::Body,
        errors: &mut errors,
        is_empty_change: &mut is_empty_change,
    });
    if let Some(names) = is_empty_change {
        return Err(Problem::bad_request(error).detail(format!("Send at least one of {names}.")));
    }
    body.filter(|_| errors.is_empty()).ok_or_else(|| {
        Problem::bad_request(error).detail("Nothing was changed; see errors.").fields(errors)
    })
}

/// Reads the fields of an object.
#[derive(Debug)]
pub struct Reader<'a> {
    fields: &'a Fields<'a>,
    path: Path<'a>,
    errors: &'a mut Vec<FieldError>,
    /// The names of the fields of a change, if none of them is present.
    is_empty_change: &'a mut Option<String>,
}

impl Reader<'_> {
    /// Reads a field, by its name in Rust.
    pub fn field<F: Format>(&mut self, field: &'static str) -> Option<F::Value> {
        let name = camel_case(field);
        let field = Field { path: Path::Field(&self.path, &name), errors: self.errors };
        match self.fields.get(&*name) {
            Some(json) => F::read(json, field),
            None => field.accept(F::absent().ok_or("is required".into())),
        }
    }

    /// Reads a field of a change: `Some(None)` if it is absent.
    pub fn changed_field<F: Format>(&mut self, field: &'static str) -> Option<Option<F::Value>> {
        let is_present = self.fields.contains_key(&*camel_case(field));
        if is_present { self.field::<F>(field).map(Some) } else { Some(None) }
    }

    /// Adds an error unless exactly one of two fields is present and not null.
    pub fn require_one(&mut self, one: &'static str, other: &'static str) {
        let (one, other) = (camel_case(one), camel_case(other));
        let is_present =
            |name: &str| self.fields.get(name).is_some_and(|json| json.get() != "null");
        if is_present(&one) == is_present(&other) {
            let field = Field { path: Path::Field(&self.path, &one), errors: self.errors };
            field.error(format!("send either this or {other}"));
        }
    }

    /// Refuses the body if none of the fields is present.
    pub fn require_any(&mut self, fields: &[&'static str]) {
        let names: Vec<_> = fields.iter().map(|field| camel_case(field)).collect();
        if !names.iter().any(|name| self.fields.contains_key(&**name)) {
            *self.is_empty_change = Some(names.join(", "));
        }
    }
}

/// The format of a list of 1 to `MAX` objects. It is valid only in bodies.
#[derive(Debug)]
pub struct List<B, const MAX: usize>(PhantomData<B>);

impl<B: ToSchema, const MAX: usize> PartialSchema for List<B, MAX> {
    fn schema() -> RefOr<Schema> {
        let schema = serde_json::to_value(B::schema()).unwrap_or_default();
        let example = schema["examples"].get(0).map(|object| serde_json::json!([object]));
        let object = Ref::from_schema_name(B::name());
        let list = ArrayBuilder::new().items(object).min_items(Some(1)).max_items(Some(MAX));
        list.examples(example).into()
    }
}

impl<B: ToSchema, const MAX: usize> ToSchema for List<B, MAX> {
    fn name() -> Cow<'static, str> {
        format!("{}List", B::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((B::name().into_owned(), B::schema()));
        B::schemas(schemas);
    }
}

impl<B: Body + ToSchema, const MAX: usize> Format for List<B, MAX> {
    type Value = Vec<B>;
    type Schema = Self;

    const IS_STRING: bool = false;

    fn parse(_: &str) -> Result<Self::Value, Message> {
        Err("must be in a body".into())
    }

    fn read(json: &RawValue, field: Field<'_>) -> Option<Self::Value> {
        let Field { path, errors } = field;
        let elements = serde_json::from_str::<Vec<&RawValue>>(json.get()).ok();
        let Some(elements) = elements.filter(|elements| (1..=MAX).contains(&elements.len())) else {
            Field { path, errors }.error(format!("must be a list of 1 to {MAX} objects"));
            return None;
        };
        let read = |(index, element): (usize, &RawValue)| {
            let path = Path::Element(&path, index);
            let Ok(fields) = serde_json::from_str(element.get()) else {
                Field { path, errors: &mut *errors }.error("must be an object");
                return None;
            };
            let is_empty_change = &mut None;
            B::read(&mut Reader { fields: &fields, path, errors: &mut *errors, is_empty_change })
        };
        // All of them are read, so that the response lists all errors.
        let objects: Vec<Option<B>> = elements.into_iter().enumerate().map(read).collect();
        objects.into_iter().collect()
    }
}

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let content_type = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let is_json = essence.eq_ignore_ascii_case("application/json")
            || (essence.starts_with("application/") && essence.ends_with("+json"));
        if !is_json {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Unsupported media type")
                .detail(
                    "Send the body as JSON, with the header `Content-Type: application/json`.",
                ));
        }
        match timeout(BODY_TIMEOUT, Bytes::from_request(request, state)).await {
            Ok(Ok(body)) => Ok(Self(body)),
            Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(too_large())
            }
            Ok(Err(_)) => Err(Problem::bad_request("Unreadable body")
                .detail("The body ended early. The request had no effect.")),
            Err(_) => Err(timed_out()),
        }
    }
}

/// The response to a body that is too large.
pub(crate) fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "Body too large")
        .detail(format!("The maximum body size is {MAX_BODY_BYTES} bytes."))
}

/// The response to a body that is too slow.
pub(crate) fn timed_out() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "Body timed out").detail(format!(
        "The body did not arrive within {} s. The request had no effect.",
        BODY_TIMEOUT.as_secs()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{integer, integer_schema};

    crate::format_of! {
        Small: i64, literal, parse = |text| integer(text, 1, 2), schema = integer_schema(1, 2, 1);
        Word: String, string, parse = |text| Ok(text.to_owned()),
            schema = crate::format::string_schema("word");
    }

    crate::body! {
        struct Order { line_items: Lines, note: Option<Word> }
    }

    crate::body! {
        struct Line { product_id: Small }
    }

    crate::change! {
        struct Change { name: Word, note: Option<Word> }
    }

    type Lines = List<Line, 3>;

    fn errors<B: Body>(json: &str) -> Vec<String> {
        let Err(problem) = parse::<B>(json.as_bytes(), "Invalid") else { return Vec::new() };
        let problem = serde_json::to_value(problem).unwrap();
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn every_error_is_reported_with_the_path_of_its_field() {
        let body = r#"{"lineItems": [{"productId": 3}, 7, {}], "note": 1, "other": 2}"#;
        let expected = ["lineItems[0].productId", "lineItems[1]", "lineItems[2].productId", "note"];
        assert_eq!(errors::<Order>(body), expected);
        assert_eq!(errors::<Order>("{}"), ["lineItems"]);
        assert_eq!(errors::<Order>(r#"{"lineItems": []}"#), ["lineItems"]);
    }

    #[test]
    fn a_field_of_an_option_may_be_absent_or_null() {
        for note in ["", r#", "note": null"#] {
            let body = format!(r#"{{"lineItems": [{{"productId": 2}}]{note}}}"#);
            let order: Order = parse(body.as_bytes(), "Invalid").unwrap();
            assert_eq!(order, Order { line_items: vec![Line { product_id: 2 }], note: None });
        }
    }

    #[test]
    fn a_change_has_at_least_one_field_and_null_only_where_it_is_valid() {
        let change = |json: &str| parse::<Change>(json.as_bytes(), "Invalid").ok();
        assert_eq!(change("{}"), None);
        assert_eq!(change(r#"{"other": 1}"#), None);
        assert_eq!(change(r#"{"name": null}"#), None);
        let note = Change { name: None, note: Some(None) };
        assert_eq!(change(r#"{"note": null}"#), Some(note));
    }
}
